// Pages that commands write from a stored result say what the result says: a figure on a page that no run gave is a fault.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { POCKET_CHAT, openPack } from 'limn';
import { transcodersFolder } from '@limn/pocket';
import { ditAdapterFolder } from '@limn/pocket/chat';
import { dictionariesFromJson, type DictionariesRecord } from '@limn/report';
import { biasMarkdown } from '../bias/markdown.mjs';
import { studyDrawings } from '../circuits/drawings.mjs';
import { studyMarkdown } from '../circuits/markdown.mjs';
import { withBlock } from '../marked-block.mjs';
import { adapterCard } from '../dit/adapter-card.mjs';
import { CURVE, curveDrawing } from '../dit/drawing.mjs';
import { ditMarkdown } from '../dit/markdown.mjs';
import type { CommandFinding, DitStudy } from '../dit/study.mjs';
import { RESULTS } from '../result-file.mjs';
import { steeringMarkdown } from '../steering/markdown.mjs';
import { frontiersDrawing, FRONTIERS } from '../transcoders/drawing.mjs';
import { transcodersMarkdown } from '../transcoders/markdown.mjs';
import { setCard } from '../transcoders/set-card.mjs';
import { verdict } from '../transcoders/verdict.mjs';

const docs = path.join(import.meta.dirname, '../../docs');
const page = (name: string): string => readFileSync(path.join(docs, name), 'utf8');
const stored = <T>(name: string): T =>
  JSON.parse(readFileSync(path.join(RESULTS, `${name}-lavapipe.json`), 'utf8')) as T;

describe('pages and drawings are what the stored results give', () => {
  test('circuits', () => {
    const study = stored<Parameters<typeof studyMarkdown>[0]>('circuits');
    expect(page('circuits.md')).toBe(studyMarkdown(study));
    for (const [name, svg] of Object.entries(studyDrawings(study))) expect(page(name)).toBe(svg);
  });
  test('steering', () => expect(page('steering.md')).toBe(steeringMarkdown(stored('steering'))));
  test('bias', () => expect(page('bias.md')).toBe(biasMarkdown(stored('bias'))));
  test('dit', () => {
    const study = stored<DitStudy>('dit');
    expect(page('dit.md')).toBe(ditMarkdown(study));
    expect(page(CURVE)).toBe(curveDrawing(study));
  });
  test("the card of pocket-chat's adapter", async () => {
    const ids = (await openPack(POCKET_CHAT)).map(({ spec }) => spec.id);
    const { plan, commands } = stored<DitStudy>('dit');
    const found = commands.find(({ model }) => model === POCKET_CHAT);
    expect(readFileSync(new URL('README.md', ditAdapterFolder()), 'utf8')).toBe(
      adapterCard(found as CommandFinding, ids, plan),
    );
  });
  test('transcoders', () => {
    const study = stored<Parameters<typeof transcodersMarkdown>[0]>('transcoders');
    expect(page('transcoders.md')).toBe(transcodersMarkdown(study));
    expect(page(FRONTIERS)).toBe(frontiersDrawing(study));
  });
  test("the card of pocket's transcoders", () => {
    const kept = (name: string): string => readFileSync(new URL(name, transcodersFolder()), 'utf8');
    const [set, saes] = ['result.json', 'sae-result.json'].map((name) => dictionariesFromJson(kept(name)));
    const block = setCard(set as DictionariesRecord, saes as DictionariesRecord, stored('transcoders'));
    expect(withBlock(kept('README.md'), 'npm run pocket:transcoders', block)).toBe(kept('README.md'));
  });
});

test('one kind is better where all its seeds are at least as good as all of the other', () => {
  expect(
    verdict([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 3],
        [3, 4],
      ],
      [
        [1, 4],
        [3, 5],
      ],
      [
        [6, 4],
        [3, 2],
      ],
    ]),
  ).toEqual({ first: 2, second: 1, undecided: 1 });
});
