// `limn features dashboards`, `search` and `label` on a model of two layers with random dictionaries: pages and files, redaction, what is found, labels, refusals.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { featuresFromJson } from '@limn/report';
import { featureLogits, FeatureLabels, openFeatureStore } from '@limn/transcoders';
import { lentGpu } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { openDictionaryFolder } from '../src/dictionary-files.js';
import { openSet } from '../src/dictionary-set.js';
import { openModel } from '../src/model-source.js';
import { featuresRuns, randomMember } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

interface Found {
  readonly most: readonly { layer: number; feature: number; score: number; label: string }[];
  readonly least?: Found['most'];
}

describe('limn features dashboards', () => {
  it('writes a page, a record with labels, and files that graph viewers open', async () => {
    const runs = await featuresRuns();
    await runLimn(['features', 'label', '1:4', 'a <b>label</b>', '--transcoders', runs.set, '--author', 'me']);
    const outcome = await runLimn(
      runs.words('dashboards', '--text', runs.text, '--features', '1:4,1:2,0:7', '--out', runs.at('dashboards')),
    );
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = featuresFromJson(readFileSync(runs.at('dashboards', 'result.json'), 'utf8'));
    expect(record.features.map(({ origin, feature }) => [origin.layer, feature])).toEqual([
      [0, 7],
      [1, 2],
      [1, 4],
    ]);
    expect([record.all, record.corpus.tokens]).toEqual([24, 96]);
    expect(record.features[2]!.label).toMatchObject({ text: 'a <b>label</b>', author: 'me' });
    expect(record.features.some(({ top = [] }) => top.some(({ texts = [] }) => texts.length > 0))).toBe(true);
    expect(readFileSync(runs.at('dashboards', 'report.html'), 'utf8')).not.toContain('<b>label');
    const store = await openFeatureStore(await openDictionaryFolder(runs.at('dashboards')));
    expect([...store.layers]).toEqual([
      [0, 12],
      [1, 12],
    ]);
    expect(await store.read(1, 3)).toBeUndefined();
    expect(await store.read(1, 4)).toMatchObject({ index: 4, act_max: record.features[2]!.max });
  });

  it('takes the strongest of each layer, or the SAE; without text nothing of it is left in any file', async () => {
    const runs = await featuresRuns();
    const asked = runs.words('dashboards', '--text', runs.text, '--sae', '--top', '2', '--no-text');
    const outcome = await runLimn([...asked, '--out', runs.at('redacted')]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = featuresFromJson(readFileSync(runs.at('redacted', 'result.json'), 'utf8'));
    expect(record.features.map(({ origin }) => origin.kind)).toEqual(['sae', 'sae']);
    expect(record.withoutText).toBe(true);
    for (const { top = [], bands = [] } of record.features)
      for (const { tokens, texts } of [...top, ...bands.flatMap(({ examples }) => examples)])
        expect([tokens, texts]).toEqual([[], undefined]);
    expect(record.provenance.options).toMatchObject({ text: runs.text, withoutText: true, top: 2 });
    // Pages for graph viewers have the same activations as with the text, and a blank for each token.
    const plain = asked.filter((word) => word !== '--no-text');
    expect((await runLimn([...plain, '--out', runs.at('with-text')])).exitCode).toBe(0);
    const [bare, full] = await Promise.all(
      ['redacted', 'with-text'].map(async (out) => openFeatureStore(await openDictionaryFolder(runs.at(out)))),
    );
    for (const { feature } of record.features) {
      const [ours, theirs] = [await bare!.read(1, feature), await full!.read(1, feature)].map((page) =>
        page!.examples_quantiles.flatMap(({ examples }) => examples),
      );
      expect(ours!.length).toBeGreaterThan(1);
      expect(ours!.map(({ tokens_acts_list }) => tokens_acts_list)).toEqual(
        theirs!.map(({ tokens_acts_list }) => tokens_acts_list),
      );
      expect(new Set(ours!.flatMap(({ tokens }) => tokens))).toEqual(new Set(['_']));
      expect(new Set(theirs!.flatMap(({ tokens }) => tokens)).size).toBeGreaterThan(1);
    }
    // Of the page only the ids and texts of examples are gone: nothing of a context is left to be shown.
    const listed = (out: string): string[] =>
      [...readFileSync(runs.at(out, 'report.html'), 'utf8').matchAll(/"(?:tokens|texts)":\[([^\]]*)\]/g)].map(
        ([, list = '']) => list,
      );
    expect(listed('with-text').some((list) => list !== '')).toBe(true);
    expect(listed('redacted').every((list) => list === '')).toBe(true);
  });

  it('refuses with a code and leaves nothing', async () => {
    const runs = await featuresRuns();
    const code = async (...more: string[]) =>
      (await failed(runs.words('dashboards', '--text', runs.text, '--out', runs.at('none'), ...more))).slice(0, 2);
    expect(await code()).toEqual([2, 'usage/features']);
    expect(await code('--all', '--top', '3')).toEqual([2, 'usage/features']);
    expect(await code('--features', '1:4,two')).toEqual([2, 'usage/features']);
    expect(await code('--features', '1:12')).toEqual([2, 'usage/features']);
    expect(await code('--features', '2:1')).toEqual([2, 'usage/dictionary-layer']);
    expect(await code('--all', '--sae', '--layers', '0')).toEqual([2, 'usage/dictionary-layer']);
    expect(await code('--all', '--text', runs.at('no.jsonl'))).toEqual([4, 'data/text']);
    const asked = ['features', 'dashboards', '--model', runs.model, '--transcoders', runs.set, '--all', '--json'];
    expect((await failed([...asked, '--out', runs.at('none')])).slice(0, 2)).toEqual([2, 'usage/dictionary-data']);
    expect(existsSync(runs.at('none'))).toBe(false);
  });
});

describe('limn features search', () => {
  it('finds features by the token that they fire on and by the logit that they move', async () => {
    const runs = await featuresRuns();
    const search = async (...more: string[]): Promise<Found> => {
      const outcome = await runLimn(runs.words('search', '--text', runs.text, ...more));
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      return outcome.json() as unknown as Found;
    };
    const { most } = await search('--token', '3');
    expect(most.length).toBeGreaterThan(0);
    expect(most.map(({ score }) => score)).toEqual([...most].map(({ score }) => score).sort((a, b) => b - a));
    const moved = await search('--logit', '8', '--top', '3');
    using gpu = await lentGpu();
    using model = await openModel(gpu, runs.model);
    using set = await openSet(model, runs.set, [1]);
    const best = moved.most.find(({ layer }) => layer === 1) ?? moved.least!.find(({ layer }) => layer === 1)!;
    const [own] = await featureLogits(model.hooked, set.dictionaries[0]!.dictionary, [best.feature], { all: true });
    expect(best.score).toBeCloseTo(own!.scores![8]!, 4);
    expect(moved.most).toHaveLength(3);
    expect(moved.least![0]!.score).toBeLessThan(0);
    expect((await search('--token', '3', '--by', 'reads', '--top', '2')).most).toHaveLength(2);
    const code = async (...more: string[]) => (await failed(runs.words('search', ...more))).slice(0, 2);
    expect(await code()).toEqual([2, 'usage/feature-query']);
    expect(await code('--token', '3', '--logit', '4')).toEqual([2, 'usage/feature-query']);
    expect(await code('--logit', 'Paris')).toEqual([2, 'usage/no-tokenizer']);
    expect(await code('--sae', '--token', '3', '--by', 'reads')).toEqual([2, 'usage/feature-directions']);
  });
});

describe('limn features label', () => {
  it('writes, shows, finds and removes a label beside the set', async () => {
    const runs = await featuresRuns();
    await runs.writeSet('labelled', [randomMember(8, 1)]);
    const label = async (...words: string[]) => {
      const outcome = await runLimn(['features', 'label', ...words, '--transcoders', runs.at('labelled'), '--json']);
      return outcome.json() as unknown as { label: { text: string } | null; labels: number; error?: { code: string } };
    };
    expect((await label('1:3')).label).toBeNull();
    expect(readdirSync(runs.at('labelled')).filter((name) => name.includes('labels'))).toEqual([]);
    expect(await label('1:3', 'years', '--evidence', 'ten examples')).toMatchObject({ labels: 1 });
    expect((await label('1:3')).label).toMatchObject({ text: 'years', author: 'anonymous', evidence: 'ten examples' });
    const [file = ''] = readdirSync(runs.at('labelled')).filter((name) => name.includes('labels'));
    const place = { layer: 1, input: 'ln2.hook_normalized', features: 12 } as const;
    expect(FeatureLabels.parse(readFileSync(runs.at('labelled', file), 'utf8'), place).get(3)?.text).toBe('years');
    const where = ['--model', runs.model, '--transcoders', runs.at('labelled')];
    const outcome = await runLimn(['features', 'search', ...where, '--label', 'YEAR', '--json']);
    expect((outcome.json() as unknown as Found).most).toMatchObject([{ layer: 1, feature: 3, label: 'years' }]);
    expect(await label('1:3', '--remove')).toMatchObject({ label: null, labels: 0 });
    expect((await label('1:3', 'x', '--remove')).error?.code).toBe('usage/feature-label');
    expect((await label('1:12', 'x')).error?.code).toBe('usage/features');
    expect((await label('0:1', 'x')).error?.code).toBe('usage/dictionary-layer');
    expect((await label('1:3', '')).error?.code).toBe('usage/feature-label');
    expect((await label('1:3', 'x', '--evidence', '')).error?.code).toBe('usage/feature-label');
    expect(readFileSync(runs.at('labelled', file), 'utf8')).not.toContain('"feature": 3');
  });
});
