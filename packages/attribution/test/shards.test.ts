// Scoring in shards: the same bits whoever computes them and however often they are stopped; a bad pair costs itself only; damage is computed again.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap } from '@limn/testing';
import { eap, logitDiff, meanOutputs, normalisedMetric, probDiff, scoreInShards } from '../src/index.js';
import type { TextStore } from '@limn/hooks';
import type { Pair, ShardedScores, ShardedScoringOptions } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';

const pairs = awkwardPairs(7);
let model: Gpt2;
beforeAll(async () => {
  model = await gpt2Of(referenceEap.randomModel(AWKWARD, 3));
});
afterAll(() => model.dispose());

class MemoryStore implements TextStore {
  readonly kept = new Map<string, string>();
  writes = 0;
  read(key: string) {
    return Promise.resolve(this.kept.get(key));
  }
  write(key: string, text: string) {
    this.writes++;
    this.kept.set(key, text);
    return Promise.resolve();
  }
}

const run = (store: TextStore, more: Partial<ShardedScoringOptions> = {}, of: readonly Pair[] = pairs) =>
  scoreInShards(model, of, { method: 'eap', metric: logitDiff, shardSize: 2, machine: 'here', store, ...more });

describe('shards', () => {
  /** One undisturbed run in one process, and what it kept. */
  const store = new MemoryStore();
  let whole: ShardedScores;
  beforeAll(async () => {
    whole = await run(store);
  });

  it('give the scores of one run, and the same bits for any number of processes in any order', async () => {
    expect(whole.shards).toEqual({ done: 4, found: 0, total: 4 });
    const plain = await eap(model, pairs, { metric: logitDiff });
    const largest = Math.max(...plain.values.filter((x) => !Number.isNaN(x)).map(Math.abs));
    for (const [i, x] of plain.values.entries())
      // Batches of other sizes may run other kernels: f32 round-off, as in scoring.test.ts.
      if (!Number.isNaN(x)) expect(Math.abs((whole.scores?.values[i] as number) - x)).toBeLessThan(1e-5 * largest);
    for (const of of [2, 3, 5]) {
      const shared = new MemoryStore();
      const parts = Array.from({ length: of }, (_, index) => index).reverse();
      for (const index of parts.slice(0, -1)) {
        const { scores, shards } = await run(shared, { part: { index, of } });
        if (shards.done < shards.total) expect(scores).toBeUndefined();
      }
      const last = await run(shared, { part: { index: 0, of } });
      expect(last.scores?.values).toEqual(whole.scores?.values);
      expect([...shared.kept.keys()].sort()).toEqual([...store.kept.keys()].sort());
      expect(new Map([...shared.kept].sort())).toEqual(new Map([...store.kept].sort()));
    }
  });

  it('have the sums over resamples of one run, the same bits for any number of processes and after a stop', async () => {
    const resamples = { count: 4, seed: 6 };
    const keeping = new MemoryStore();
    const { scores } = await run(keeping, { resamples });
    const { resampled } = await eap(model, pairs, { metric: logitDiff, resamples });
    expect(scores?.values).toEqual(whole.scores?.values);
    expect(scores?.resampled).toMatchObject({ seed: 6, examples: 7, distinct: 7 });
    for (const [r, want] of (resampled?.sums ?? []).entries()) {
      const largest = Math.max(...want.map(Math.abs));
      for (const [k, x] of want.entries())
        expect(Math.abs((scores?.resampled?.sums[r]?.[k] as number) - x)).toBeLessThan(1e-5 * largest);
    }
    const shared = new MemoryStore();
    await run(shared, { resamples, part: { index: 1, of: 2 } });
    expect(shared.writes).toBe(2);
    const last = await run(shared, { resamples });
    expect(last.shards).toEqual({ done: 4, found: 2, total: 4 });
    expect(last.scores?.resampled).toEqual(scores?.resampled);
    expect(new Map([...shared.kept].sort())).toEqual(new Map([...keeping.kept].sort()));
    // Other resamples need no other shards; shards without the scores of pairs are others.
    expect((await run(keeping, { resamples: { count: 9 } })).shards.found).toBe(4);
    expect((await run(keeping)).shards.found).toBe(0);
    await expect(run(keeping, { resamples: { count: 0 } })).rejects.toMatchObject({ code: 'usage/resamples' });
  });

  it('go on after an abort where they were, with nothing computed twice', async () => {
    const stopped = new MemoryStore();
    for (let stops = 1; stops <= 3; stops++) {
      const controller = new AbortController();
      const aborting: TextStore = {
        read: (key) => stopped.read(key),
        write: async (key, text) => {
          await stopped.write(key, text);
          controller.abort();
        },
      };
      await expect(run(aborting, { signal: controller.signal })).rejects.toThrow();
      expect(stopped.writes).toBe(stops);
    }
    const last = await run(stopped);
    expect(last.shards).toEqual({ done: 4, found: 3, total: 4 });
    expect(stopped.writes).toBe(4);
    expect(last.scores?.values).toEqual(whole.scores?.values);
  });

  it('that are damaged, cut off or empty are computed again', async () => {
    const damaged = new MemoryStore();
    for (const [key, text] of store.kept) damaged.kept.set(key, text);
    const damages: readonly ((text: string) => string)[] = [
      (text) => text.replace(/\d(?=[^\d]*\n)/, (digit) => String((Number(digit) + 1) % 10)),
      (text) => text.slice(0, text.length / 2),
      () => '',
      () => '{}\n',
      (text) => `${text.slice(0, 40)}\u0000${text.slice(41)}`,
    ];
    for (const damage of damages) {
      const [key, text] = [...damaged.kept][0] as [string, string];
      damaged.kept.set(key, damage(text));
      const again = await run(damaged);
      expect(again.shards).toEqual({ done: 4, found: 3, total: 4 });
      expect(again.scores?.values).toEqual(whole.scores?.values);
      expect(damaged.kept.get(key)).toBe(text);
    }
  });

  it('are other shards for another model, machine, method, metric, ablation or size', async () => {
    const store = new MemoryStore();
    await run(store, {}, pairs.slice(0, 2));
    const other = await gpt2Of(referenceEap.randomModel(AWKWARD, 4));
    using means = await meanOutputs(
      model,
      pairs.map(({ corrupted }) => corrupted),
    );
    const few = pairs.slice(0, 2);
    await run(store, { machine: 'there' }, few);
    await run(store, { method: 'clean-corrupted' }, few);
    await run(store, { ablation: 'zero' }, few);
    await run(store, { ablation: means }, few);
    await run(store, { shardSize: 1 }, few);
    await scoreInShards(other, few, { method: 'eap', metric: logitDiff, shardSize: 2, machine: 'here', store });
    expect(store.kept.size).toBe(1 + 4 + 2 + 1);
    expect(store.writes).toBe(store.kept.size);
    other.dispose();
  });

  it('are other shards for another metric of the same name, which tells itself apart by its identity', async () => {
    const store = new MemoryStore();
    const few = pairs.slice(0, 2);
    const mine = { ...logitDiff, name: 'mine', identity: '1' };
    const first = await run(store, { metric: mine }, few);
    const second = await run(store, { metric: { ...mine, loss: probDiff.loss, identity: '2' } }, few);
    expect(second.shards.found).toBe(0);
    expect(second.scores?.values).not.toEqual(first.scores?.values);
    expect((await run(store, { metric: mine }, few)).shards.found).toBe(1);
    const normalised = await normalisedMetric(model, few, mine, { floor: 0 });
    expect((await run(store, { metric: normalised }, few)).shards.found).toBe(0);
    const built = await run(store, {}, few);
    expect(built.shards.found).toBe(0);
    for (const metric of [
      { ...mine, identity: undefined },
      { ...logitDiff, loss: probDiff.loss },
    ])
      await expect(run(store, { metric }, few)).rejects.toThrow(
        expect.objectContaining({ code: 'usage/metric-identity' }),
      );
  });

  it('refuse a cut that is none', async () => {
    const cuts: readonly Partial<ShardedScoringOptions>[] = [
      { shardSize: 0 },
      { shardSize: 1.5 },
      { part: { index: 2, of: 2 } },
      { part: { index: -1, of: 2 } },
      { part: { index: 0, of: 0 } },
    ];
    for (const cut of cuts)
      await expect(run(new MemoryStore(), cut)).rejects.toThrow(expect.objectContaining({ code: 'usage/shard' }));
  });
});

describe('a pair that cannot be scored', () => {
  const [good, second, third] = pairs as readonly Pair[] as readonly [Pair, Pair, Pair];
  const long = { ...good, clean: Array.from({ length: AWKWARD.positions + 1 }, () => 1) };

  it('is named with its place, and the others are scored as if it were not there', async () => {
    const bad = { ...long, corrupted: long.clean };
    const mute = { ...second, incorrect: [] };
    const cut = { shardSize: 3, resamples: { count: 3 } };
    const { scores, quarantined } = await run(new MemoryStore(), cut, [good, bad, second, mute, third]);
    expect(quarantined.map(({ pair, code }) => [pair, code])).toEqual([
      [1, 'data/pairs-too-long'],
      [3, 'data/pairs-answers'],
    ]);
    const alone = await run(new MemoryStore(), { ...cut, shardSize: 2 }, [good, second, third]);
    expect(scores?.values).toEqual(alone.scores?.values);
    expect(scores?.resampled).toEqual(alone.scores?.resampled);
  });

  it('by scores that are no numbers is found by running', async () => {
    const reference = referenceEap.randomModel(AWKWARD, 3);
    const poisoned = AWKWARD.vocabulary - 1;
    // Finite weights, as loading asks for, whose variance is not.
    for (let i = poisoned * AWKWARD.width; i < reference.embed.length; i++)
      reference.embed[i] = (i % 2 ? 3 : -3) * 1e38;
    const sick = await gpt2Of(reference);
    const free = pairs.filter(({ clean, corrupted }) => ![...clean, ...corrupted].includes(poisoned)).slice(0, 3);
    const victim = { ...(free[0] as Pair), clean: [poisoned, ...(free[0] as Pair).clean.slice(1)] };
    const of = [free[0], victim, free[1], victim, free[2]] as Pair[];
    const options = { method: 'eap', metric: logitDiff, machine: 'here' } as const;
    const { scores, quarantined } = await scoreInShards(sick, of, {
      ...options,
      store: new MemoryStore(),
      shardSize: 5,
    });
    expect(quarantined.map(({ pair, code }) => [pair, code])).toEqual([
      [1, 'data/score-not-finite'],
      [3, 'data/score-not-finite'],
    ]);
    const alone = await scoreInShards(sick, free, { ...options, store: new MemoryStore(), shardSize: 3 });
    expect(scores?.values).toEqual(alone.scores?.values);
    await expect(scoreInShards(sick, [victim], { ...options, store: new MemoryStore() })).rejects.toThrow(
      expect.objectContaining({ code: 'data/pairs-quarantined' }),
    );
    sick.dispose();
  });

  it('is remembered by its shard', async () => {
    const store = new MemoryStore();
    const of = [good, { ...second, incorrect: [] }];
    const first = await run(store, {}, of);
    const again = await run(store, {}, of);
    expect(again.shards.found).toBe(1);
    expect(again.quarantined).toEqual(first.quarantined);
    expect(again.scores?.values).toEqual(first.scores?.values);
  });
});
