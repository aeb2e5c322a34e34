// What comes with pocket-chat: an adapter and diffs that it never saw, opened by the model's name, and as good as its card says.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ditAuditFromJson, ditReadingFromJson } from '@limn/report';
import { ditAdapterFolder } from '@limn/pocket/chat';
import { chatWorld } from '@limn/tasks/chat';
import { afterAll, expect, test } from 'vitest';
import { openPack } from '../src/diff-folder.js';
import { runLimn } from './run-limn.js';

const NAME = 'pocket-chat';
const folder = mkdtempSync(path.join(os.tmpdir(), 'limn-pocket-chat-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('its diffs are of topics and codes that the adapter did not learn from, and of ordinary answers', async () => {
  const diffs = await openPack(NAME);
  const topics = diffs.flatMap(({ spec }) => spec.about['label'] ?? []);
  const splits = new Set(topics.map((topic) => chatWorld().byName.get(String(topic))?.split));
  expect(splits).toEqual(new Set(['test']));
  expect(topics.length).toBeGreaterThanOrEqual(16);
  expect(diffs.length).toBeGreaterThan(topics.length);
  for (const { gate } of diffs) expect(gate).toBeDefined();
});

test('limn dit audit pocket-chat: what was changed stands before what was not, and half of the topics are named', async () => {
  const out = path.join(folder, 'audit.json');
  const words = ['dit', 'audit', NAME, '--base', NAME, '--adapter', NAME, '--out', out, '--json'];
  const { exitCode, stderr } = await runLimn(words);
  expect(exitCode, stderr).toBe(0);
  const { rows, roc } = ditAuditFromJson(await readFile(out, 'utf8'));
  expect(roc?.[0]?.area).toBeGreaterThan(0.95);
  const changed = rows.filter(({ label }) => label !== null);
  const named = changed.filter(({ answer, label }) => answer === label).length;
  expect(named / changed.length).toBeGreaterThanOrEqual(0.5);
});

test('limn dit ask: a diff by its id, beside the model without it', async () => {
  const [first] = (await openPack(NAME)).filter(({ spec }) => spec.about['label'] !== null);
  const out = path.join(folder, 'reading.json');
  const words = ['dit', 'ask', '--base', NAME, '--diff', `${NAME}#${first?.spec.id ?? ''}`, '--adapter', NAME];
  const { exitCode, stderr } = await runLimn([...words, '--out', out, '--json']);
  expect(exitCode, stderr).toBe(0);
  const { diff, answers } = ditReadingFromJson(await readFile(out, 'utf8'));
  expect(diff.label).toBe(first?.spec.about['label']);
  // Without the diff there is nothing to tell.
  const plain = answers.filter(({ who }) => who === 'base' || who === 'base+adapter');
  expect(plain).toHaveLength(2);
  for (const { text } of plain) expect(text.trim()).toBe('none');
});

test('its card and its record are of one training', async () => {
  const [card, record] = await Promise.all(
    ['README.md', 'dit.json'].map((name) => readFile(new URL(name, ditAdapterFolder()), 'utf8')),
  );
  const { base, best, training } = JSON.parse(record ?? '') as {
    readonly base: { readonly name: string };
    readonly best: number;
    readonly training: { readonly rank: number };
  };
  expect(base.name).toBe(NAME);
  expect(best).toBeGreaterThan(0);
  expect(card).toContain(`rank ${training.rank}`);
});
