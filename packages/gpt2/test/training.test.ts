// Around the training loop: schedules, micro-batches, losses on held-out rows, and a log that survives kills.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readFloats } from '@limn/tensor';
import { FaultyFs, testGpu, refusal } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  meanLoss,
  nextTokenLoss,
  randomGpt2,
  rateAt,
  trainGpt2,
  type Gpt2,
  type TrainingLog,
  type TrainingLogEntry,
  type TrainingOptions,
  type TrainingProgress,
} from '../src/index.js';
import { nodeDisk, openTrainingLog, readTrainingLog } from '../src/node.js';
import { batch, sizes } from './faults/job.js';
import { MemoryCheckpoints } from './memory-checkpoints.js';

const fresh = async (): Promise<Gpt2> => randomGpt2(await testGpu(), sizes, 3);
const options = {
  batch,
  steps: 4,
  every: 1,
  recipe: { rate: 0.02, weightDecay: 0.05, clipNorm: 1 },
} satisfies TrainingOptions;
const heldOut = [Uint32Array.of(1, 1, 2, 3, 5, 8), Uint32Array.of(10, 0, 7), Uint32Array.of(4, 9)];

async function weightsOf(model: Gpt2): Promise<Float64Array> {
  const all: number[] = [];
  for await (const [, { data }] of model.hostWeights()) all.push(...data);
  return Float64Array.from(all);
}

describe('schedules', () => {
  test('linear falls in a line, constant stays, both behind the warm-up', () => {
    const linear = { schedule: 'linear', warmup: 4, finalRate: 0.1 } as const;
    expect([0, 1, 3, 4].map((s) => rateAt(s, 104, linear))).toEqual([0.25, 0.5, 1, 1]);
    expect(rateAt(29, 104, linear)).toBeCloseTo(0.775, 12);
    expect(rateAt(104, 104, linear)).toBeCloseTo(0.1, 12);
    const constant = { schedule: 'constant', warmup: 2 } as const;
    expect([0, 1, 2, 50, 99].map((s) => rateAt(s, 100, constant))).toEqual([0.5, 1, 1, 1, 1]);
    // A run that is shorter than its warm-up never gets there.
    expect(rateAt(2, 3, { warmup: 6 })).toBe(0.5);
  });

  test('train with them: the rates of the log are those of the schedule', async () => {
    const model = await fresh();
    for (const schedule of ['cosine', 'linear', 'constant'] as const) {
      const rates: number[] = [];
      const recipe = { rate: 0.02, schedule, warmup: 1 };
      await trainGpt2(model, { ...options, recipe, onProgress: ({ rate }) => rates.push(rate) });
      expect(rates).toEqual([0, 1, 2, 3].map((s) => 0.02 * rateAt(s, 4, recipe)));
    }
    model.dispose();
  });

  test.each([
    [{ schedule: 'step' as 'linear' }, 'schedule', 'cosine, linear, constant'],
    [{ warmup: -1 }, 'warmup', 'whole number'],
    [{ warmup: 1.5 }, 'warmup', 'whole number'],
    [{ finalRate: 1.5 }, 'finalRate', '0 to 1'],
    [{ finalRate: Number.NaN }, 'finalRate', '0 to 1'],
    [{ schedule: 'constant' as const, finalRate: 0.1 }, 'finalRate', 'absent'],
    [{ microBatch: 0 }, 'microBatch', 'at least 1'],
  ])('%j is refused before any work', async (wrong, setting, allowed) => {
    const model = await fresh();
    const error = await refusal(trainGpt2(model, { ...options, recipe: { rate: 0.02, ...wrong } }));
    expect(error).toMatchObject({ code: 'training/setting', details: { setting } });
    expect(error.message).toContain(allowed);
    model.dispose();
  });

  test('numbers of steps that mean nothing are refused, too', async () => {
    const model = await fresh();
    for (const wrong of [{ steps: 2.5 }, { every: 0 }, { evaluateEvery: -1 }, { heldOut: [] }])
      expect((await refusal(trainGpt2(model, { ...options, ...wrong }))).code).toBe('training/setting');
    model.dispose();
  });
});

describe('micro-batches', () => {
  /** With ε far above √v̂, AdamW's step is rate · m̂ / ε: linear in the gradient, so that weights compare as gradients do. */
  const linear = { rate: 100, epsilon: 1e3, schedule: 'constant', clipNorm: 1 } as const;
  const trained = async (microBatch?: number): Promise<{ weights: Float64Array; losses: number[]; print: string }> => {
    const model = await fresh();
    const { losses, fingerprint } = await trainGpt2(model, {
      ...options,
      recipe: { ...linear, ...(microBatch === undefined ? {} : { microBatch }) },
    });
    const weights = await weightsOf(model);
    model.dispose();
    return { weights, losses: losses.map(({ loss }) => loss), print: fingerprint };
  };

  test('train as the whole batch does up to f32 round-off, whatever the rows’ lengths, and the same every time', async () => {
    const model = await fresh();
    const before = await weightsOf(model);
    model.dispose();
    const whole = await trained();
    const largest = whole.weights.reduce((most, w, i) => Math.max(most, Math.abs(w - (before[i] as number))), 0);
    expect(largest).toBeGreaterThan(1e-3);
    for (const rows of [1, 2]) {
      const parts = await trained(rows);
      // Gradients are sums of a few dozen terms in another order; weights near 1 are rounded four times.
      const bound = 64 * 2 ** -24 * largest + 8 * 2 ** -24;
      parts.weights.forEach((w, i) => expect(Math.abs(w - (whole.weights[i] as number))).toBeLessThan(bound));
      parts.losses.forEach((loss, i) => expect(loss).toBeCloseTo(whole.losses[i] as number, 5));
      expect((await trained(rows)).print).toBe(parts.print);
    }
    // A part as large as the batch is the batch, to the bit.
    expect((await trained(3)).print).toBe(whole.print);
  });

  test('a steady update with parts creates no buffer, bind group, pipeline or plan', async () => {
    const model = await fresh();
    const seen: Record<string, number>[] = [];
    await trainGpt2(model, {
      ...options,
      steps: 6,
      recipe: { ...options.recipe, microBatch: 2 },
      onProgress: () => seen.push({ ...model.gpu.counters.snapshot() }),
    });
    for (const key of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'])
      expect(seen[5]?.[key], key).toBe(seen[4]?.[key]);
    model.dispose();
  });

  test('a batch that cannot be trained on leaves nothing on the GPU', async () => {
    const model = await fresh();
    model.gpu.trim();
    await model.gpu.finished();
    const before = model.gpu.counters.snapshot();
    const bad = (step: number) =>
      step === 2
        ? [
            [1, 2],
            [3, 4],
            [5, 99],
          ]
        : batch(step);
    const recipe = { ...options.recipe, microBatch: 2 };
    expect((await refusal(trainGpt2(model, { ...options, batch: bad, recipe }))).code).toBe('tokens/not-in-vocabulary');
    model.gpu.trim();
    await model.gpu.finished();
    expect(model.gpu.counters.snapshot().bytesLive).toBe(before.bytesLive);
    model.dispose();
  });
});

describe('held-out rows', () => {
  test('their loss is the mean over their targets, however many rows go at once; it stands in log and progress with the metrics', async () => {
    const model = await fresh();
    const step = model.gpu.step();
    const [whole] = await readFloats(step, nextTokenLoss(model, step, heldOut).loss);
    for (const rowsAtOnce of [1, 2, 3])
      // Losses of about 2.4, added in another order.
      expect(await meanLoss(model, heldOut, { rowsAtOnce })).toBeCloseTo(whole as number, 5);
    const told: TrainingProgress[] = [];
    const result = await trainGpt2(model, {
      ...options,
      heldOut,
      evaluateEvery: 2,
      evaluate: async (done) => ({ twice: 2 * done }),
      onProgress: (progress) => told.push(progress),
    });
    expect(told.map(({ heldOutLoss }) => heldOutLoss !== undefined)).toEqual([false, true, false, true]);
    expect(told.map(({ metrics }) => metrics?.['twice'])).toEqual([undefined, 4, undefined, 8]);
    expect(result.heldOutLoss).toBe(told[3]?.heldOutLoss);
    expect(result.heldOutLoss).toBeCloseTo(await meanLoss(model, heldOut), 6);
    model.dispose();
  });

  test('a batch with one of them is refused, naming update and row', async () => {
    const model = await fresh();
    const error = await refusal(trainGpt2(model, { ...options, heldOut: [...heldOut, batch(2)[1] as Uint32Array] }));
    expect(error).toMatchObject({ code: 'training/held-out-row', details: { step: 2, row: 1 } });
    model.dispose();
  });

  test('an evaluation whose metrics fail ends the run with their error and leaves nothing', async () => {
    const model = await fresh();
    const failing = trainGpt2(model, { ...options, evaluate: () => Promise.reject(new Error('no metrics')) });
    await expect(failing).rejects.toThrow('no metrics');
    model.dispose();
  });
});

describe('an abort', () => {
  /** Log and checkpoints in memory, as a run leaves them. */
  const memory = () => {
    const entries: TrainingLogEntry[] = [];
    const { store } = new MemoryCheckpoints();
    const log: TrainingLog = {
      rewind: async (step) => void entries.splice(0, entries.length, ...entries.filter((e) => e.step <= step)),
      append: async (entry) => void entries.push({ ...entry, tokensPerSecond: 0 }),
      flush: async () => undefined,
    };
    return { entries, checkpoint: { store, every: 3 }, log };
  };

  test('at any update, in its data, its evaluation or its report: a checkpoint, and on to the same weights and log', async () => {
    const run = async (place: ReturnType<typeof memory>, changes: Partial<TrainingOptions> = {}): Promise<string> => {
      const model = await fresh();
      const { checkpoint, log } = place;
      const settings = { ...options, heldOut, evaluateEvery: 2, evaluate: async () => ({ one: 1 }), checkpoint, log };
      try {
        return (await trainGpt2(model, { ...settings, ...changes })).fingerprint;
      } finally {
        model.dispose();
      }
    };
    const whole = memory();
    const expected = await run(whole);
    for (const [at, where] of [
      [0, 'data'],
      [1, 'report'],
      [1, 'evaluation'],
      [2, 'data'],
      [3, 'report'],
    ] as const) {
      const place = memory();
      const stop = new AbortController();
      const abort = (step: number): void => void (step === at && stop.abort(new Error('enough')));
      let asked = 0;
      const stopped = run(place, {
        signal: stop.signal,
        // The first three calls are those that know the data.
        batch: (step) => (where === 'data' && ++asked > 3 && abort(step), batch(step)),
        evaluate: async (done) => (where === 'evaluation' && abort(done - 1), { one: 1 }),
        onProgress: ({ step }) => void (where === 'report' && abort(step - 1)),
      });
      // Behind the last update there is nothing left to stop.
      if (at === options.steps - 1) expect(await stopped).toBe(expected);
      else await expect(stopped, `${where} of update ${at}`).rejects.toThrow('enough');
      expect(await run(place), `${where} of update ${at}`).toBe(expected);
      expect(place.entries).toEqual(whole.entries);
    }
  });
});

describe('the log file', () => {
  let root: string;
  beforeAll(() => (root = mkdtempSync(path.join(os.tmpdir(), 'limn-log-'))));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const entry = (step: number): TrainingLogEntry => ({ step, loss: 3 / step, rate: 1e-3 / 3, tokensPerSecond: 100 });

  test('a rewind keeps what the checkpoint has, to the bit, and drops half lines, later lines and repetitions', async () => {
    const file = path.join(root, 'a.jsonl');
    const log = openTrainingLog(file);
    await log.rewind(0);
    for (const step of [1, 2, 3]) await log.append(entry(step));
    await log.flush();
    const whole = readFileSync(file, 'utf8');
    expect(whole.split('\n')).toHaveLength(4);
    appendFileSync(
      file,
      `${JSON.stringify(entry(2))}\nnot json\n{"step":4}\n${JSON.stringify(entry(5))}\n{"step":6,"lo`,
    );
    expect((await readTrainingLog(file)).map(({ step }) => step)).toEqual([1, 2, 3, 5]);
    const again = openTrainingLog(file);
    await again.rewind(3);
    expect(readFileSync(file, 'utf8')).toBe(whole);
    await again.append(entry(4));
    expect(await readTrainingLog(file)).toEqual([1, 2, 3, 4].map(entry));
    await openTrainingLog(file).rewind(0);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  test('an append that fails takes its half line back', async () => {
    const file = path.join(root, 'b.jsonl');
    const { disk } = new FaultyFs(nodeDisk, { call: 2, how: 'ENOSPC', of: ['writeFile'] });
    const log = openTrainingLog(file, disk);
    await log.rewind(0);
    await log.append(entry(1));
    expect(await refusal(log.append(entry(2)))).toMatchObject({ code: 'files/write', details: { reason: 'ENOSPC' } });
    expect(readFileSync(file, 'utf8')).toBe(`${JSON.stringify(entry(1))}\n`);
    await log.append(entry(2));
    expect(await readTrainingLog(file)).toEqual([entry(1), entry(2)]);
  });

  test('figures that are not finite come back as they were, also through a rewind', async () => {
    const file = path.join(root, 'd.jsonl');
    const strange = { ...entry(1), heldOutLoss: Number.NaN, metrics: { a: Infinity, b: -Infinity, c: 0.1 } };
    const log = openTrainingLog(file);
    await log.rewind(0);
    await log.append(strange);
    await openTrainingLog(file).rewind(1);
    expect(await readTrainingLog(file)).toEqual([strange]);
    expect(readFileSync(file, 'utf8')).toContain(
      '"heldOutLoss":"NaN","metrics":{"a":"Infinity","b":"-Infinity","c":0.1}',
    );
  });

  test('a file that is not a log is read as an empty one; one that cannot be read is an error', async () => {
    const file = path.join(root, 'c.jsonl');
    writeFileSync(file, '\u0000\n[1]\nnull\n"text"\n{"step":1.5,"loss":2}\n');
    expect(await readTrainingLog(file)).toEqual([]);
    expect(await readTrainingLog(path.join(root, 'absent.jsonl'))).toEqual([]);
    expect((await refusal(readTrainingLog(root))).code).toBe('files/read');
  });
});
