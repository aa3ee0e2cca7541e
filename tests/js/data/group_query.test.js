import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merged } from '../../../server/static/js/data/group_merge.js';
import { joined, labelOf, labelWithin, queryWithin } from '../../../server/static/js/data/group_query.js';

test('a group’s query is added to that of the search field, which stays a list of terms', () => {
  assert.equal(joined('', 'lr=0.1'), 'lr=0.1');
  assert.equal(joined('resnet lr<1', 'lr=0.1'), 'resnet lr<1 and lr=0.1');
  assert.equal(joined('a or b', 'lr=0.1'), '(a or b) and lr=0.1');
  assert.equal(joined('"a or b"', 'lr=0.1'), '"a or b" and lr=0.1');
  assert.equal(joined('adam', ''), 'adam');
});

test('a group’s query has a label for people', () => {
  assert.equal(labelOf('lr=0.01'), 'lr = 0.01');
  assert.equal(labelOf('optimizer.name="sgd 2" and lr=0.01'), 'optimizer.name = sgd 2 · lr = 0.01');
  assert.equal(labelOf('not has(params.seed) and group=folds'), 'no params.seed · group = folds');
  assert.equal(labelOf('params."learning rate"=0.1'), 'learning rate = 0.1');
  assert.equal(labelOf('note~"^a \\\\(b\\\\)(.|\\\\s)"'), 'note = a (b)…');
  assert.equal(labelOf('commit~"^ab12cd3$"'), 'commit = ab12cd3');
  assert.equal(labelOf('created>=2026-11-30 and created<2026-12-01'), 'created >= 2026-11-30 · created < 2026-12-01');
});

test('other queries have labels, too', () => {
  assert.equal(labelOf('resnet lr=0.1 min(loss)<2'), 'resnet · lr = 0.1 · min(loss) < 2');
  assert.equal(labelOf('(adam or sgd) and not failed'), '(adam or sgd) · no failed');
});

test('a group within what the table is filtered by', () => {
  const part = { q: 'adam or sgd', status: 'failed' };
  const whole = queryWithin(part, 'lr=0.1');
  assert.equal(whole, '(adam or sgd) and status=failed and lr=0.1');
  assert.equal(labelWithin(part, whole), 'lr = 0.1 (adam or sgd, failed)');
  assert.equal(labelWithin({ q: 'other', status: '' }, 'lr=0.1'), 'lr = 0.1');
  assert.equal(labelWithin({ q: '', status: '' }, 'lr=0.1'), 'lr = 0.1');
  const long = { q: 'model.depth>=4 and batch_size<=128', status: '' };
  assert.equal(labelWithin(long, queryWithin(long, 'lr=0.1')), 'lr = 0.1 (model.depth>=4 and batch…)');
});

test('what is shown keeps its order, and a new item follows the one that it follows on the server', () => {
  const key = (item) => item;
  const after = (shown, fresh) => merged([...shown], [...fresh], key).join('');
  assert.equal(after('abc', 'cba'), 'abc');
  assert.equal(after('abc', 'xcba'), 'xabc');
  assert.equal(after('abc', 'abxyc'), 'abxyc');
  assert.equal(after('abc', 'ca'), 'ac');
  assert.equal(after('', 'ab'), 'ab');
  assert.equal(after('ab', 'xy'), 'xy');
});

test('the items of the new answer are taken', () => {
  const shown = [{ id: 'a', n: 1 }];
  assert.deepEqual(
    merged(shown, [{ id: 'a', n: 2 }], ({ id }) => id),
    [{ id: 'a', n: 2 }],
  );
});
