// `limn dit ask` and `evaluate` on a model of width 16: four answers that are those of the models themselves, a reading that stands up to intervening, search, and refusals.
import { writeFileSync } from 'node:fs';
import { askDiffs, LoraAdapter, readPeft, zeroLayers } from '@limn/dit';
import { ditReadingFromJson, type DitReadingRecord } from '@limn/report';
import { aboutPrompt, chatWorld, encodeChat, questionText } from '@limn/tasks/chat';
import { lentGpu } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { rankedCandidates } from '../src/asked-diffs.js';
import { Console } from '../src/console.js';
import { openDictionaryFolder } from '../src/dictionary-files.js';
import { openDitAdapter } from '../src/dit-adapter-folder.js';
import { chatQuestion } from '../src/dit-question.js';
import { openModel } from '../src/model-source.js';
import { chatProbes, triedProposals } from '../src/proposal-search.js';
import { wrapped } from '../src/reading-lines.js';
import { ditRuns, writeChatModel } from './dit-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

const runs = ditRuns();
const topics = chatWorld().topics.filter(({ split }) => split === 'test');
const id = `topic/${topics[0]?.name ?? ''}/code/0`;
const asking = (diff: string, ...more: readonly string[]): string[] => [
  'dit',
  'ask',
  '--base',
  runs.model,
  '--diff',
  diff,
  '--adapter',
  runs.at('adapter'),
  '--max-new-tokens',
  '3', // prettier-ignore
  ...more,
];

describe('limn dit ask', () => {
  it('says what base, base + diff, base + adapter and all three answer, with probabilities', async () => {
    await runs.trained();
    const files = ['--out', runs.at('reading.json'), '--html', runs.at('reading.html')];
    const outcome = await runLimn(asking(`${runs.at('test')}#${id}`, '--json', ...files));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = ditReadingFromJson(runs.text('reading.json'));
    const told = outcome.json() as unknown as { reading: DitReadingRecord };
    expect(told.reading).toEqual(record);
    expect(record.diff).toMatchObject({ name: id, rank: 1, modules: ['h.1.mlp.c_proj'], label: topics[0]?.name });
    expect(record.note).toContain('not evidence');
    expect(record.adapter?.heldOut?.[0]).toMatchObject({ what: 'topic: exact answer', count: 4 });
    expect(record.adapter?.validated?.[0]).toMatchObject({ what: 'topic: exact answer', count: 3 });
    expect(runs.text('reading.html')).toContain('<p class="mark">limn</p>');
    const gpu = await lentGpu();
    using model = await openModel(gpu, runs.model);
    const { lora: adapter } = await openDitAdapter(model, runs.at('adapter'));
    const lora = runs.loraOf(topics[0]?.words ?? [], model.hooked.info.fingerprint);
    const prompt = aboutPrompt(questionText('topic'));
    const ask = async (on: boolean, by: boolean) =>
      (
        await askDiffs(model.hooked, on ? [lora] : [], by ? adapter : null, [{ diff: on ? 0 : null, prompt }], {
          maxNewTokens: 3,
        })
      )[0];
    for (const [who, on, by] of [
      ['base', false, false],
      ['base+diff', true, false],
      ['base+adapter', false, true],
      ['base+diff+adapter', true, true],
    ] as const) {
      const [expected, answer] = [await ask(on, by), record.answers.find((each) => each.who === who)];
      expect(answer?.text).toBe(model.tokenizer?.decode([...(expected?.tokens ?? [])]));
      expect(Math.log(answer?.probability ?? 0)).toBeCloseTo(expected?.logProbability ?? NaN, 4);
      expect(answer?.top).toHaveLength(5);
    }
    // The layer that the diff changes is all of it.
    const [first, second] = record.layers?.rows ?? [];
    expect(second?.only).toBeCloseTo(record.layers?.whole ?? NaN, 4);
    expect(second?.without).toBeCloseTo(record.layers?.bare ?? NaN, 4);
    expect(first?.without).toBeCloseTo(record.layers?.whole ?? NaN, 4);
    expect(zeroLayers(model.hooked, lora, [1]).modules.size).toBe(0);
    // Of rank 1 the one direction is all of the change.
    const [norm] = record.norms;
    expect(record.directions.map(({ map, side }) => [map, side])).toEqual([['h.1.mlp.c_proj', 'writes']]);
    expect(record.directions[0]?.strength).toBeCloseTo(norm?.norm ?? NaN, 5);
    gpu.dispose();
  });

  it('is read in 80 columns', async () => {
    await runs.trained();
    const outcome = await runLimn(asking(`${runs.at('test')}#${id}`, '--search'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const lines = outcome.stdout.split('\n');
    for (const line of lines) if (!line.includes(runs.root)) expect(line.length, line).toBeLessThanOrEqual(80);
    for (const who of ['base ', 'base+diff ', 'base+adapter ', 'base+diff+adapter '])
      expect(lines.some((line) => line.startsWith(`  ${who}`))).toBe(true);
    expect(outcome.stdout).toContain('not evidence');
    expect(wrapped('word '.repeat(40).trim()).every((line) => line.length <= 80)).toBe(true);
  });

  it('--search tries what the adapter proposes, and ranks it again by ln probability + gain', async () => {
    await runs.trained();
    const outcome = await runLimn(asking(runs.at('violin'), '--search', '--json', '--top', '3'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { search, reading } = outcome.json() as unknown as {
      search: { text: string; probability: number; gain: number; score: number }[];
      reading: DitReadingRecord;
    };
    expect(search).toHaveLength(5);
    for (const { probability, gain, score } of search) expect(score).toBeCloseTo(Math.log(probability) + gain, 10);
    expect(search.map(({ score }) => score)).toEqual(search.map(({ score }) => score).sort((a, b) => b - a));
    expect(reading.tables.map(({ title }) => title)).toContain('What the adapter proposes, tried on base + diff');
    const own = await runLimn(asking(runs.at('violin'), '--search', '--json', '--probe', 'tell me about {answer}'));
    expect(own.exitCode, own.stderr).toBe(0);
    expect((own.json() as unknown as { search: { text: string; gain: number }[] }).search).toHaveLength(5);
  });

  it('the topic whose words a diff writes gains most, whatever was thought of it before', async () => {
    await runs.trained();
    const gpu = await lentGpu();
    using model = await openModel(gpu, runs.model);
    const plain = chatQuestion('topic', chatWorld());
    const names = ['chess', 'oak', 'violin', 'loan', 'comet'];
    const candidates = plain.candidates.filter(({ text }) => names.includes(text));
    const question = { ...plain, candidates, calibration: null, baseRates: { labels: 0, examples: 0, most: [] } };
    const scores = candidates.map(({ text }) => (text === 'violin' ? -2 : -1));
    const among = rankedCandidates(scores, undefined, question, 5);
    const lora = runs.loraOf(chatWorld().byName.get('violin')?.words ?? [], model.hooked.info.fingerprint);
    const quiet = new Console({ stdout: process.stdout, stderr: process.stderr, json: false, quiet: true });
    const controls = { signal: new AbortController().signal, console: quiet };
    const [tried] = await triedProposals(model, question, [{ lora, among }], chatProbes(4, 1), 5, controls);
    const [best, ...others] = [...(tried ?? [])].sort((a, b) => b.gain - a.gain);
    expect([best?.text, others.length]).toEqual(['violin', 4]);
    expect(best?.probability).toBe(Math.min(...(tried ?? []).map(({ probability }) => probability)));
    expect(best?.gain).toBeGreaterThan(0);
    gpu.dispose();
  });

  it('warns of a diff that changes no logit, and asks without an adapter', async () => {
    await runs.trained();
    const words = [
      'dit',
      'ask',
      '--base',
      runs.model,
      '--diff',
      runs.at('still'),
      '--template',
      '<|user|> {question} <|bot|>',
    ];
    const outcome = await runLimn([...words, '--question', 'what changed ?', '--json', '--max-new-tokens', '2']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { reading, warnings } = outcome.json() as unknown as { reading: DitReadingRecord; warnings: string[] };
    expect(warnings).toEqual([expect.stringContaining('changes no logit')]);
    expect(reading.note).toContain('changes no logit');
    expect([reading.adapter, reading.answers.map(({ who }) => who)]).toEqual([null, ['base', 'base+diff']]);
    expect(reading.answers[0]?.text).toBe(reading.answers[1]?.text);
    expect(reading.norms.every(({ norm }) => norm === 0)).toBe(true);
  });

  it.for([
    ['a diff that is not there', 2, 'usage/diff-name', ['--diff', 'nowhere', '--question', 'yes']],
    ['a pack of several', 2, 'usage/diff-name', ['--diff', 'train', '--question', 'yes']],
    ['no question and no adapter', 2, 'usage/dit-question', ['--diff', 'violin']],
    ['a folder that is no adapter', 4, 'data/dit-adapter', ['--diff', 'violin', '--adapter', 'violin']],
    [
      'words that there are not',
      4,
      'tokenizer/unknown-text',
      ['--diff', 'violin', '--adapter', 'adapter', '--question', 'qué?'],
    ],
    [
      'a template without its place',
      2,
      'usage/dit-template',
      ['--diff', 'violin', '--question', 'yes', '--template', 'x'],
    ],
    ['a search without an adapter', 2, 'usage/dit-probe', ['--diff', 'violin', '--question', 'yes', '--search']],
    [
      'a probe without a search',
      2,
      'usage/dit-probe',
      ['--diff', 'violin', '--adapter', 'adapter', '--probe', 'the {answer}'],
    ],
    [
      'a probe without its place',
      2,
      'usage/dit-probe',
      ['--diff', 'violin', '--adapter', 'adapter', '--search', '--probe', 'the'],
    ],
    [
      'an answer that has no room',
      2,
      'usage/dit-question',
      ['--diff', 'violin', '--adapter', 'adapter', '--max-new-tokens', '60'],
    ],
    ['a file of another', 2, 'usage/output-exists', ['--diff', 'violin', '--adapter', 'adapter', '--out', 'mine.txt']],
  ] as const)('refuses %s', async ([, exit, code, given]) => {
    await runs.trained();
    writeFileSync(runs.at('mine.txt'), 'mine');
    const places = ['nowhere', 'train', 'violin', 'adapter', 'mine.txt'];
    const words = given.map((word) => (places.includes(word) ? runs.at(word) : word));
    expect((await failed(['dit', 'ask', '--base', runs.model, '--json', ...words])).slice(0, 2)).toEqual([exit, code]);
    expect(runs.text('mine.txt')).toBe('mine');
  });

  it('refuses an adapter and diffs of another base', async () => {
    await runs.trained();
    writeChatModel(runs.at('elsewhere'), 9);
    const words = ['dit', 'ask', '--base', runs.at('elsewhere'), '--json', '--question', 'yes'];
    expect((await failed([...words, '--diff', runs.at('violin')])).slice(0, 2)).toEqual([4, 'data/lora-base']);
    const gpu = await lentGpu();
    using model = await openModel(gpu, runs.at('elsewhere'));
    await expect(openDitAdapter(model, runs.at('adapter'))).rejects.toMatchObject({ code: 'data/lora-base' });
    gpu.dispose();
  });
});

describe('limn dit evaluate', () => {
  it('figures are those of its answers, and a control without the adapter is what diffs say themselves', async () => {
    await runs.trained();
    const words = [
      'dit',
      'evaluate',
      '--base',
      runs.model,
      '--adapter',
      runs.at('adapter'),
      '--diffs',
      runs.at('test'),
    ];
    const outcome = await runLimn([...words, '--max-new-tokens', '3', '--controls', '--search', '--out', runs.at('evaluation.json'), '--json']); // prettier-ignore
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { figures, answers } = runs.json('evaluation.json') as unknown as {
      figures: {
        name: string;
        figures: Record<string, { mean: number; interval: [number, number] | null } & string>[];
      }[];
      answers: {
        diff: string;
        kind: string;
        label: string;
        said: string;
        exact: boolean;
        rank: number;
        decision: string;
        grade: number | null;
      }[];
    };
    expect(figures.map(({ name }) => name)).toEqual([
      'adapter',
      'adapter and search',
      'without the adapter',
      'answers about other diffs',
    ]);
    const telling = answers.filter(({ kind }) => kind === 'topic');
    const nothing = answers.filter(({ kind }) => kind !== 'topic');
    expect(telling.map(({ label }) => label)).toEqual(topics.slice(0, 4).map(({ name }) => name).sort()); // prettier-ignore
    expect(nothing.map(({ kind }) => kind).sort()).toEqual(['none', 'random', 'random', 'random', 'random', 'zero']);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [all, clean] = figures[0]?.figures ?? [];
    expect(all?.['exact']?.mean).toBe(mean(telling.map(({ exact }) => Number(exact))));
    expect(all?.['mrr']?.mean).toBeCloseTo(mean(telling.map(({ rank }) => 1 / rank)), 6);
    expect(all?.['grade']?.mean).toBe(mean(telling.map(({ grade }) => grade ?? NaN)));
    // Unsure is above the threshold as well.
    expect(clean?.['alarms']?.mean).toBe(mean(nothing.map(({ decision }) => Number(decision !== 'none'))));
    const { interval } = all?.['mrr'] ?? {};
    expect(interval?.[0]).toBeLessThanOrEqual(all?.['mrr']?.mean ?? NaN);
    expect(interval?.[1]).toBeGreaterThanOrEqual(all?.['mrr']?.mean ?? NaN);
    const gpu = await lentGpu();
    using model = await openModel(gpu, runs.model);
    const { lora } = await readPeft(model.hooked, await openDictionaryFolder(runs.at('violin')));
    using placed = new LoraAdapter(model.hooked, lora);
    expect(placed.modules).toEqual(['h.1.mlp.c_proj']);
    const names = telling.map(({ label }) => encodeChat(label)[0] as number);
    const [bare] = await askDiffs(model.hooked, [], null, [{ diff: null, prompt: aboutPrompt(questionText('topic')) }], { maxNewTokens: 1, candidates: names }); // prettier-ignore
    expect(bare?.candidates).toHaveLength(4);
    gpu.dispose();
  });

  it('diffs that the adapter was trained or stopped by are refused under any name, and told where they are asked for', async () => {
    await runs.trained();
    const words = ['dit', 'evaluate', '--base', runs.model, '--adapter', runs.at('adapter'), '--max-new-tokens', '2'];
    // One of those that it learnt from is in PEFT's files as well.
    for (const pack of ['train', 'validation', 'violin'])
      expect((await failed([...words, '--json', '--diffs', runs.at(pack)])).slice(0, 2)).toEqual([2, 'usage/dit-seen']);
    const outcome = await runLimn([...words, '--json', '--diffs', runs.at('train'), '--seen']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.json()['seen']).toHaveLength(8);
    expect(outcome.stderr).toContain('not what it finds out');
  });

  it('refuses diffs of which nothing is known', async () => {
    await runs.trained();
    const words = ['dit', 'evaluate', '--base', runs.model, '--adapter', runs.at('adapter'), '--json'];
    expect((await failed([...words, '--diffs', runs.at('still')])).slice(0, 2)).toEqual([4, 'data/dit-labels']);
  });
});
