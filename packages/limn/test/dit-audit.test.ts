// `limn dit audit` and `watch` on a model of width 16: rankings by what the answers say, a curve that counting confirms, damaged folders that cost themselves only, checkpoints as they appear.
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { LoraFactors, TrainedDiff } from '@limn/dit';
import { ditAuditFromJson, type DitAuditRecord } from '@limn/report';
import { describe, expect, it } from 'vitest';
import { auditCsv, AUDIT_HEADER } from '../src/audit-text.js';
import { openPack } from '../src/diff-folder.js';
import { savePack } from '../src/diff-pack-folder.js';
import { checkpointPlaces } from '../src/watched-checkpoints.js';
import { ditRuns } from './dit-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

const runs = ditRuns();
const words = (command: string, folder: string, ...more: readonly string[]): string[] => [
  'dit',
  command,
  folder,
  '--base',
  runs.model,
  '--adapter',
  runs.at('adapter'),
  '--max-new-tokens',
  '3',
  '--json', // prettier-ignore
  ...more,
];
const auditOf = (json: Record<string, unknown>): DitAuditRecord => json['audit'] as DitAuditRecord;

/** A folder with a pack, two adapters, a folder that is none, a damaged one, and a pack of which all diffs but one cannot be asked. */
async function mixed(): Promise<string> {
  await runs.trained();
  const folder = runs.at('mixed');
  rmSync(folder, { recursive: true, force: true });
  for (const name of ['test', 'violin', 'still']) cpSync(runs.at(name), path.join(folder, name), { recursive: true });
  mkdirSync(path.join(folder, 'empty'));
  cpSync(runs.at('violin'), path.join(folder, 'damaged'), { recursive: true });
  writeFileSync(path.join(folder, 'damaged', 'adapter_model.safetensors'), 'damaged');
  const [first] = await openPack(runs.at('test'));
  if (!first) throw new Error('the pack is empty');
  const changed = (
    id: string,
    change: (factors: LoraFactors) => LoraFactors,
    about = first.spec.about,
  ): TrainedDiff => ({
    ...first,
    key: id,
    spec: { ...first.spec, id, about },
    lora: { ...first.lora, modules: new Map([...first.lora.modules].map(([name, own]) => [name, change(own)])) },
  });
  await savePack(path.join(folder, 'odd'), [
    changed('sound', (own) => own, {}),
    changed('not a number', (own) => ({ ...own, b: own.b.map(() => Number.NaN) })),
    changed('too large', (own) => ({ ...own, a: own.a.map(() => 3e38), b: own.b.map(() => 3e38) })),
    changed('unknown topic', (own) => own, { world: 'chat', behaviour: { kind: 'topic', name: 'x' } }),
  ]);
  await savePack(path.join(folder, 'other'), [
    { ...changed('another base', (own) => own), lora: { ...first.lora, base: 'sha256:0' } },
  ]);
  return folder;
}

describe('limn dit audit', () => {
  it('ranks all that it can open by what speaks against "nothing", and names the rest', async () => {
    const folder = await mixed();
    const files = ['--out', runs.at('audit.json'), '--csv', runs.at('audit.csv'), '--html', runs.at('audit.html')];
    const outcome = await runLimn(words('audit', folder, ...files));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const audit = auditOf(outcome.json());
    expect(ditAuditFromJson(runs.text('audit.json'))).toEqual(audit);
    const { rows, refused = [], roc: [curve, byNorm] = [], calibration } = audit;
    expect(rows).toHaveLength(8);
    expect(rows.map(({ none }) => none)).toEqual(rows.map(({ none }) => none).sort((a, b) => a - b));
    expect(refused.map(({ name, reason }) => [name, /\(([\w/-]+)\)$/.exec(reason)?.[1]]).sort()).toEqual([
      ['another base', 'data/lora-base'],
      ['damaged', expect.any(String)],
      ['empty', 'data/diff-folder'],
      ['not a number', 'data/lora-values'],
      ['too large', 'hooks/not-finite'],
      ['unknown topic', 'data/diff-about'],
    ]);
    // Of packs the truth is known; of adapters it is not.
    expect(rows.filter(({ label }) => label !== undefined)).toHaveLength(5);
    expect(rows.find(({ name }) => name === 'violin')).not.toHaveProperty('label');
    for (const { decision, label, correct, answer } of rows)
      if (correct !== undefined)
        expect(correct).toBe(label === null ? decision === 'none' : decision === 'changed' && answer === label);
    const known = rows.filter(({ label }) => label !== undefined);
    const pairs = known.flatMap((one) => known.flatMap((other) => (one.label !== null && other.label === null ? [one.none < other.none ? 1 : one.none === other.none ? 0.5 : 0] : []))); // prettier-ignore
    expect(pairs).toHaveLength(4);
    expect(curve?.area).toBeCloseTo(pairs.reduce((sum: number, won) => sum + won, 0) / 4, 10);
    expect([curve?.positives, curve?.negatives]).toEqual([4, 1]);
    // Beside it what the size of the change says by itself.
    expect(byNorm?.what).toContain('‖ΔW‖ alone');
    expect([byNorm?.positives, byNorm?.negatives]).toEqual([4, 1]);
    expect(rows.find(({ name }) => name === 'still')?.norm).toBe(0);
    expect(rows.find(({ name }) => name === 'violin')?.norm).toBeGreaterThan(0);
    const { noneThreshold = NaN } = calibration ?? {};
    const chosen = curve?.points[curve.chosen ?? -1];
    expect(chosen?.threshold === undefined || 1 - chosen.threshold < noneThreshold).toBe(true);
    const table = runs.text('audit.csv').trimEnd().split('\n');
    expect([table[0], table.length]).toEqual([AUDIT_HEADER, 9]);
    expect(table[1]?.startsWith(`1,${rows[0]?.name},`)).toBe(true);
  });

  it('labels of a file count, a table keeps formulas from spreadsheets, and lines have 80 columns', async () => {
    const folder = await mixed();
    const lines = [
      { diff: 'violin', question: 'topic', answer: 'violin' },
      { diff: 'still', question: 'topic', answer: 'none' },
      { diff: null, question: 'topic', answer: 'none' },
    ];
    writeFileSync(runs.at('truth.jsonl'), lines.map((line) => JSON.stringify(line)).join('\n'));
    const outcome = await runLimn(words('audit', folder, '--data', runs.at('truth.jsonl')).filter((word) => word !== '--json')); // prettier-ignore
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    for (const line of outcome.stdout.split('\n'))
      if (!line.includes(runs.root)) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(outcome.stdout).toMatch(/changed from clean, by 1 − p\(nothing\): area (0|1|0\.5)/);
    const row = { name: '=cmd()', answer: 'a "b", c', confidence: 0, none: 1, decision: 'none' as const, top: [] };
    const record = { rows: [row] } as unknown as DitAuditRecord;
    expect(auditCsv(record).split('\n')[1]).toBe(`1,'=cmd(),nothing,1,0,"a ""b"", c",,,,`);
  });

  it.for([
    ['a folder that is not there', 4, 'files/not-found', ['nowhere']],
    ['a folder without diffs', 4, 'data/diff-folder', ['bare']],
    ['a question that nothing is ranked by', 2, 'usage/dit-question', ['test', '--question', 'yes']],
    ['two questions', 2, 'usage/dit-question', ['test', '--question', 'topic', '--question', 'yes']],
    ['a file without labels', 4, 'data/dit-labels', ['test', '--data', 'labels.jsonl']],
    ['a table that is no audit', 2, 'usage/output-exists', ['test', '--csv', 'table.csv']],
  ] as const)('refuses %s', async ([, exit, code, [folder, ...given]]) => {
    await runs.trained();
    mkdirSync(runs.at('bare'), { recursive: true });
    writeFileSync(runs.at('labels.jsonl'), '{"diff": "a", "question": "style", "answer": "cat"}\n');
    writeFileSync(runs.at('table.csv'), 'a,b\n');
    const places = ['labels.jsonl', 'table.csv'];
    const more = given.map((word) => (places.includes(word) ? runs.at(word) : word));
    expect((await failed(words('audit', runs.at(folder), ...more))).slice(0, 2)).toEqual([exit, code]);
  });
});

describe('limn dit watch', () => {
  it('follows checkpoints by their numbers as they appear, and ends with a signal', async () => {
    await runs.trained();
    const folder = runs.at('fine-tune');
    mkdirSync(folder);
    cpSync(runs.at('violin'), path.join(folder, 'checkpoint-100'), { recursive: true });
    cpSync(runs.at('still'), path.join(folder, 'checkpoint-20'), { recursive: true });
    mkdirSync(path.join(folder, 'runs'));
    expect(checkpointPlaces(folder).map(({ update }) => update)).toEqual([20, 100]);
    const controller = new AbortController();
    const said: string[] = [];
    const running = runLimn(
      words('watch', folder, '--every', '0.01', '--out', runs.at('series.json')).filter((word) => word !== '--json'),
      controller.signal,
      { stdout: { write: (text) => said.push(text) } },
    );
    const over = new AbortController();
    void running.finally(() => over.abort());
    const lines = (): number => said.filter((text) => text.startsWith('update')).length;
    while (!over.signal.aborted && lines() < 2) await wait(1);
    // Half-written at first: nothing is said of it until it is whole.
    const late = path.join(folder, 'checkpoint-200');
    mkdirSync(late);
    await wait(30);
    cpSync(runs.at('violin'), runs.at('late'), { recursive: true });
    rmSync(late, { recursive: true });
    renameSync(runs.at('late'), late);
    while (!over.signal.aborted && lines() < 3) await wait(1);
    controller.abort();
    const outcome = await running;
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(said.filter((text) => text.startsWith('update')).map((text) => Number(text.split(/\s+/)[1]))).toEqual([
      20, 100, 200,
    ]);
    const { watch, rows } = ditAuditFromJson(runs.text('series.json'));
    expect(watch?.at).toEqual([20, 100, 200]);
    const none = watch?.lines.find(({ kind }) => kind === 'none')?.values ?? [];
    expect(none[1]).toBe(none[2]);
    expect(none[0]).not.toBe(none[1]);
    expect(rows.map(({ name }) => name).sort()).toEqual(['checkpoint-100', 'checkpoint-20', 'checkpoint-200']);
    expect(rows.find(({ name }) => name === 'checkpoint-20')?.none).toBeCloseTo(none[0] ?? NaN, 6);
  });

  it('--once asks what is there, also packs, and refuses folders without checkpoints', async () => {
    await runs.trained();
    const folder = runs.at('packs');
    cpSync(runs.at('validation'), path.join(folder, '7'), { recursive: true });
    const several = await failed(words('watch', folder, '--once'));
    expect(several).toEqual([4, 'data/diff-folder', expect.stringContaining('no checkpoint')]);
    const manifest = runs.json('packs', '7', 'diffs.json') as { diffs: { id: string; about: { label: string } }[] };
    const { id = '', about } = manifest.diffs.at(-1) ?? {};
    const outcome = await runLimn(words('watch', folder, '--once', '--id', id));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { watch, rows } = auditOf(outcome.json());
    expect(watch?.at).toEqual([7]);
    expect(watch?.lines.map(({ kind, name }) => [kind, name]).slice(0, 2)).toEqual([
      ['none', 'none'],
      ['label', about?.label],
    ]);
    expect(rows[0]).toMatchObject({ name: '7', update: 7, label: about?.label });
    expect((await failed(words('watch', runs.at('nowhere'), '--once'))).slice(0, 2)).toEqual([4, 'files/not-found']);
  });
});
