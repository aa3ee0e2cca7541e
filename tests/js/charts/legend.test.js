import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortName } from '../../../server/static/js/charts/legend.js';

test('a metric is named without what its graph says', () => {
  assert.equal(shortName('train_loss', 'loss'), 'train');
  assert.equal(shortName('loss/val/top5', 'loss'), 'val top5');
  assert.equal(shortName('Train Loss', 'loss'), 'Train');
});

test('a metric that is called like its graph needs no name', () => {
  assert.equal(shortName('Loss', 'loss'), '');
});

test('a metric keeps its name if nothing of it would be left, or nothing is of the title', () => {
  assert.equal(shortName('loss_loss', 'loss'), 'loss_loss');
  assert.equal(shortName('accuracy', 'loss'), 'accuracy');
  assert.equal(shortName('lossless', 'loss'), 'lossless');
});
