import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, overlay, shortened } from '../../../server/static/js/data/overlay.js';

const BASE = '?q=lr%3C1&sort=-min(val_loss)&s=a&s=b&x=step&log=1';

test('what differs from a view gives the address again', () => {
  const others = [
    '?q=lr%3C1&s=b&x=time',
    '?x=step',
    '',
    '?q=&s=none&x=step&cols=*a,b',
    `${BASE}&hide=a&hide=b&future=%26x`,
  ];
  for (const search of others) {
    const changes = difference(BASE, search);
    assert.notEqual(changes, '');
    assert.equal(difference(overlay(BASE, changes), search), '', search);
  }
});

test('what is the same is no change, in whatever order it is written', () => {
  assert.equal(difference(BASE, '?log=1&x=step&s=a&s=b&sort=-min(val_loss)&q=lr%3C1'), '');
  assert.equal(difference('', '?x=step'), '');
  assert.notEqual(difference(BASE, BASE.replace('s=a&s=b', 's=b&s=a')), '', 'the order of the sessions');
});

test('a view that is saved anew shows through what a link changes', () => {
  const changes = difference(BASE, BASE.replace('log=1', 'log=1&smooth=0.5'));
  assert.equal(changes, 'smooth=0.5');
  assert.equal(difference(overlay('?q=new&x=time', changes), '?q=new&x=time&smooth=0.5'), '');
  assert.equal(overlay('?q=new&x=time', 'without=q'), '?x=time');
});

test('of a long address the sessions are left out first', () => {
  const ids = Array.from({ length: 360 }, (_, number) => `s=${String(number).padStart(20, '0')}`);
  const search = `?${ids.join('&')}&x=step&q=lr%3C1`;
  const short = shortened(search, 2000);
  assert.ok(short.length <= 2000);
  assert.ok(short.includes('x=step') && short.includes('q=lr%3C1') && short.startsWith('?s=0000'));
  assert.equal(shortened('?x=step&s=a', 2000), '?x=step&s=a');
  assert.equal(shortened(`?q=${'x'.repeat(3000)}&x=step`, 2000), '?x=step');
});
