import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contextAt } from '../../../server/static/js/data/query_text.js';
import { operatorsOf, rankedFields, suggestionsFor, valueOptions } from '../../../server/static/js/data/suggestions.js';

const field = (text, group, kind = 'number', sessions = 3, name = text) => ({
  field: text,
  group,
  name,
  kind,
  sessions,
  sort: null,
});

const FIELDS = [
  field('tag', 'columns', 'text'),
  field('status', 'columns', 'text'),
  field('commit', 'columns', 'text'),
  field('created', 'columns', 'time'),
  field('progress', 'columns', 'number', 2),
  field('reason', 'columns', 'text', 0),
  field('lr', 'params'),
  field('optimizer.lr', 'params'),
  field('"learning rate"', 'params', 'number', 1, 'learning rate'),
  field('optimizer.name', 'params', 'text'),
  field('values.best', 'values', 'number', 3, 'best'),
  field('min(val_loss)', 'statistics', 'number', 3, 'val_loss'),
  field('last(val_loss)', 'statistics', 'number', 3, 'val_loss'),
  field('min("a b")', 'statistics', 'number', 3, 'a b'),
];

/** The labels that are suggested at the bar in a text. */
function at(marked, values = []) {
  return found(marked, values).map(({ label }) => label);
}

function found(marked, values = []) {
  const cursor = marked.indexOf('|');
  return suggestionsFor(contextAt(marked.replace('|', ''), cursor), FIELDS, values);
}

/** The text after the first suggestion with this label has been accepted. */
function accepted(marked, label, values = []) {
  const text = marked.replace('|', '');
  const one = found(marked, values).find((suggestion) => suggestion.label === label);
  return text.slice(0, one.from) + one.text + text.slice(one.to);
}

test('an empty field offers fields, params first, and none that no session has', () => {
  const labels = at('|');
  assert.equal(labels[0], 'lr');
  assert.ok(labels.indexOf('optimizer.name') < labels.indexOf('tag'));
  assert.ok(!labels.includes('reason') && !labels.includes('and'));
});

test('what begins with the typed letters comes first', () => {
  assert.deepEqual(
    rankedFields('lr', FIELDS).map((one) => one.field),
    ['lr', 'optimizer.lr'],
  );
  assert.deepEqual(
    rankedFields('loss', FIELDS).map((one) => one.field),
    ['min(val_loss)', 'last(val_loss)'],
  );
  assert.deepEqual(
    rankedFields('reas', FIELDS).map((one) => one.field),
    ['reason'],
  );
  assert.deepEqual(rankedFields('zirconium', FIELDS), []);
  assert.deepEqual(at('learn|'), ['"learning rate"']);
  assert.equal(accepted('a and learn|', '"learning rate"'), 'a and "learning rate"');
});

test('plain words are left alone', () => {
  assert.deepEqual(at('resnet|'), []);
  assert.deepEqual(at('resnet 50|'), []);
});

test('behind a field come the operators that suit it', () => {
  assert.deepEqual(at('status|').slice(0, 4), ['status=', 'status!=', 'status~', 'status!~']);
  assert.deepEqual(at('lr|').slice(0, 6), ['lr=', 'lr!=', 'lr<', 'lr<=', 'lr>', 'lr>=']);
  assert.equal(accepted('lr |', 'lr<='), 'lr<=');
  assert.deepEqual(
    at('min(val_loss)|'),
    ['=', '!=', '<', '<=', '>', '>='].map((one) => `min(val_loss)${one}`),
  );
  assert.deepEqual(
    operatorsOf('time').map(([, words]) => words),
    ['after', 'before', 'at or after', 'at or before'],
  );
});

test('behind an operator come values, which are quoted where they need it', () => {
  const values = [
    { value: 'adam', count: 12 },
    { value: 'sgd 2', count: 3 },
    { value: true, count: 1 },
  ];
  assert.deepEqual(at('optimizer.name=|', values), ['adam', 'sgd 2', 'true']);
  assert.deepEqual(at('optimizer.name=SG|', values), ['sgd 2']);
  assert.equal(accepted('optimizer.name=s| x', 'sgd 2', values), 'optimizer.name="sgd 2"  x');
  assert.deepEqual(at('commit=|', [{ value: 'f'.repeat(40), count: 1 }]), ['f'.repeat(10)]);
  assert.deepEqual(at('created>|')[1], '1d');
  assert.deepEqual(at('progress>5|'), ['50%']);
  assert.deepEqual(valueOptions(undefined, [], ''), []);
});

test('and, or, not and functions where they can stand', () => {
  assert.deepEqual(at('lr=1 |').slice(0, 3), ['and', 'or', 'not']);
  assert.deepEqual(at('lr=1 a|').slice(0, 1), ['and']);
  assert.equal(accepted('lr=1 o|', 'or'), 'lr=1 or ');
  assert.ok(!at('a|').includes('and'));
  assert.deepEqual(at('ha|'), ['has(']);
  assert.deepEqual(at('las|'), ['last(val_loss)', 'last(']);
  assert.ok(!at('lr=1 and |').includes('or'));
});

test('metrics in a statistic, and fields in has', () => {
  assert.deepEqual(at('min(|'), ['min(val_loss)', 'min("a b")']);
  assert.equal(accepted('min(va|', 'min(val_loss)'), 'min(val_loss)');
  assert.equal(accepted('last(|', 'last(val_loss)'), 'last(val_loss)');
  assert.equal(accepted('has(l|', 'lr'), 'has(lr) ');
});
