import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  completed,
  contextAt,
  fieldText,
  quoted,
  termText,
  tokensOf,
  unquoted,
  valueText,
  withMore,
  withTerm,
} from '../../../server/static/js/data/query_text.js';

/** The context at the bar in a text. */
function at(marked) {
  const cursor = marked.indexOf('|');
  return contextAt(marked.replace('|', ''), cursor);
}

const types = (text) => tokensOf(text).map(({ type }) => type);

test('tokens of a query, complete or not', () => {
  assert.deepEqual(types('lr<=0.01 and not tag~"a b"'), [
    'word',
    'operator',
    'value',
    'and',
    'not',
    'word',
    'operator',
    'text',
  ]);
  assert.deepEqual(types('min("a b")>1 (x or y)'), [
    'call',
    'text',
    ')',
    'operator',
    'value',
    '(',
    'word',
    'or',
    'word',
    ')',
  ]);
  assert.deepEqual(types('and or android'), ['word', 'or', 'word']);
  assert.deepEqual(types('path=a=b<c'), ['word', 'operator', 'value']);
  assert.deepEqual(types('params."a b"=1 "open te'), ['path', 'text', 'operator', 'value', 'open text']);
  assert.deepEqual(types('lr= )'), ['word', 'operator', '?']);
  assert.deepEqual(types('a!b hello!'), ['word', 'word']);
});

test('a field can stand where a term begins', () => {
  for (const [text, prefix, joins] of [
    ['|', '', false],
    ['lr|', 'lr', false],
    ['lr=1 |', '', true],
    ['lr=1 and |', '', false],
    ['lr=1 and opt|', 'opt', false],
    ['lr=1 a|', 'a', true],
    ['(|', '', false],
    ['(lr=1) |', '', true],
    ['not st|', 'st', false],
    ['has(lr) |', '', true],
  ]) {
    const context = at(text);
    assert.deepEqual([context.expects, context.prefix, context.joins], ['field', prefix, joins], text);
  }
});

test('names in quotes and with their group are completed as a whole', () => {
  const open = at('x and "learning ra|');
  assert.deepEqual([open.expects, open.prefix, open.from, open.to], ['field', 'learning ra', 6, 18]);
  const path = at('values."a b|" > 1');
  assert.deepEqual([path.expects, path.prefix, path.from, path.to], ['field', 'values.a b', 0, 12]);
  assert.equal(at('values."|').prefix, 'values.');
});

test('a value can stand behind an operator, whatever the spaces', () => {
  for (const [text, field, operator, prefix, from] of [
    ['lr<=|', 'lr', '<=', '', 4],
    ['lr <= |', 'lr', '<=', '', 6],
    ['lr=0.|', 'lr', '=', '0.', 3],
    ['params."a b"=x|', 'params."a b"', '=', 'x', 13],
    ['"a b"!=|', '"a b"', '!=', '', 7],
    ['min("a b")>0|', 'min("a b")', '>', '0', 11],
    ['a and tag="res net|', 'tag', '=', 'res net', 10],
    ['status=and|', 'status', '=', 'and', 7],
  ]) {
    const context = at(text);
    assert.deepEqual(
      [context.expects, context.field, context.operator, context.prefix, context.from],
      ['value', field, operator, prefix, from],
      text,
    );
  }
});

test('an operator can follow a name, and has to follow a statistic', () => {
  assert.deepEqual([at('lr|').field, at('lr|').fieldEnd], ['lr', 2]);
  assert.equal(at('lr |').field, 'lr');
  assert.equal(at('params."a b"|').field, 'params."a b"');
  assert.deepEqual([at('min(loss)|').expects, at('min(loss)|').field], ['operator', 'min(loss)']);
  assert.equal(at('l|r').field, '');
  assert.equal(at('lr|=1').field, '');
  assert.equal(at('lr=1 |').field, '');
  assert.equal(at('has(min(loss)|').expects, 'field');
});

test('metrics stand in statistics, and any field in has', () => {
  assert.deepEqual([at('min(va|').expects, at('min(va|').call, at('min(va|').prefix], ['metric', 'min', 'va']);
  assert.deepEqual([at('LAST(|').expects, at('LAST(|').call], ['metric', 'last']);
  assert.deepEqual([at('has(|').expects, at('has(|').call], ['field', 'has']);
  assert.deepEqual([at('count("top |').prefix, at('count("top |').from], ['top ', 6]);
});

test('names and values are written so that they are read as such', () => {
  assert.deepEqual(['lr', 'a b', 'and', '', 'a"b', 'a\\b', 'a\u00a0b'].map(quoted), [
    'lr',
    '"a b"',
    '"and"',
    '""',
    '"a\\"b"',
    '"a\\\\b"',
    '"a\u00a0b"',
  ]);
  assert.deepEqual(
    ['0.1', 'a b', '=x', '', 'a=b', 'and'].map((value) => valueText(value)),
    ['0.1', '"a b"', '"=x"', '""', 'a=b', 'and'],
  );
  assert.equal(valueText('1', true), '"1"');
  for (const text of ['a b', 'a"b', 'a\\b', '\\"']) assert.equal(unquoted(quoted(text)), text);
  assert.equal(unquoted('"a b'), 'a b');
});

test('what is typed in the place of a field becomes one', () => {
  assert.deepEqual(
    ['lr', ' lr ', 'learning rate', 'min(loss)', 'min("a b")', 'values."a b"', 'has(x)', 'a=b'].map(fieldText),
    ['lr', 'lr', '"learning rate"', 'min(loss)', 'min("a b")', 'values."a b"', '"has(x)"', '"a=b"'],
  );
});

test('terms are written, replaced, removed and added', () => {
  const word = { kind: 'word', negated: true, field: null, operator: null, value: 'a b', quoted: false };
  assert.equal(termText(word), 'not "a b"');
  assert.equal(termText({ ...word, kind: 'has', negated: false, field: 'lr' }), 'has(lr)');
  assert.equal(termText({ ...word, kind: 'term', negated: false, field: 'lr', operator: '<=', value: '1' }), 'lr<=1');
  const q = 'lr<=1 and not a  tag=x';
  const terms = [
    { start: 0, end: 5 },
    { start: 10, end: 15 },
    { start: 17, end: 22 },
  ];
  assert.equal(withTerm(q, terms, 0, 'lr>2'), 'lr>2 and not a  tag=x');
  assert.equal(withTerm(q, terms, 0, ''), 'not a  tag=x');
  assert.equal(withTerm(q, terms, 1, ''), 'lr<=1  tag=x');
  assert.equal(withTerm(q, terms, 2, ''), 'lr<=1 and not a');
  assert.equal(
    withTerm(
      '"a""b"',
      [
        { start: 0, end: 3 },
        { start: 3, end: 6 },
      ],
      0,
      '',
    ),
    '"b"',
  );
  assert.equal(withMore(' ', [], 'lr=1'), 'lr=1');
  assert.equal(withMore('a b', terms, 'lr=1'), 'a b and lr=1');
  assert.equal(withMore('a or b', null, 'lr=1'), '(a or b) and lr=1');
});

test('a completion takes its place, and doubles nothing that is there', () => {
  assert.deepEqual(completed('a=s x', { text: 'sgd ', from: 2, to: 3 }), { value: 'a=sgd x', cursor: 6 });
  assert.deepEqual(completed('has(l)', { text: 'lr) ', from: 4, to: 5 }), { value: 'has(lr) ', cursor: 8 });
  assert.deepEqual(completed('min(v)>1', { text: 'val)', from: 4, to: 5 }), { value: 'min(val)>1', cursor: 8 });
  assert.deepEqual(completed('(lr=0)', { text: '0.1 ', from: 4, to: 5 }), { value: '(lr=0.1 )', cursor: 8 });
  assert.deepEqual(completed('', { text: 'lr', from: 0, to: 0 }), { value: 'lr', cursor: 2 });
});
