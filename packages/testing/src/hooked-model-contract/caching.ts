// What decoding with a cache promises: the logits of the whole sequence, rows of unequal lengths that may pause and end, one plan for all steps.
import { intervene, scale, tokenBatch, type HookedModel, type Intervention } from '@limn/hooks';
import { readFloats, scale as times } from '@limn/tensor';
import { assert, expectSame, refused, type ContractCheck } from './check.js';

/** Three texts of 5 tokens, of which so many are the prompt. */
const texts = (model: HookedModel): number[][] =>
  [0, 5, 10].map((from) => [0, 1, 2, 3, 4].map((i) => ((from + i) * 7 + 3) % model.info.vocabulary));
const promptLengths = [2, 1, 3];
/** Which rows take a token in each step: row 0 pauses first, then rows end one by one. */
const turns = [
  [0, 1, 1],
  [1, 1, 1],
  [1, 1, 0],
  [1, 1, 0],
];

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** What is in force while decoding, and what says the same of the whole sequence. */
interface Case {
  readonly name: string;
  readonly cached: readonly Intervention[];
  readonly whole: readonly Intervention[];
}

function cases(): Case[] {
  const site = 'blocks.0.hook_attn_out';
  const positions = scale(site, 3, { positions: [1, 4] });
  const pattern = intervene('blocks.1.attn.hook_pattern', 'flatter', (x, ctx) => times(ctx.step, x, 0.5));
  const inPhase = (
    phase: 'prompt' | 'generated',
    from: (length: number) => number,
    to: (length: number) => number,
  ): Case => ({
    name: `an edit in the ${phase} part`,
    cached: [scale(site, 3, { phase })],
    whole: promptLengths.map((length, row) =>
      scale(site, 3, { rows: [row], positions: range(from(length), to(length)) }),
    ),
  });
  return [
    { name: 'no edit', cached: [], whole: [] },
    { name: 'edits at positions and of a pattern', cached: [positions, pattern], whole: [positions, pattern] },
    inPhase(
      'prompt',
      () => 0,
      (length) => length,
    ),
    inPhase(
      'generated',
      (length) => length,
      () => 5,
    ),
  ];
}

/** For prefill and decode. */
export const cachingChecks: readonly ContractCheck[] = [
  {
    name: 'cached decoding of unequal prompts gives the logits of the whole sequences, with edits at prompt and generated positions',
    async check(model) {
      const V = model.info.vocabulary;
      const rows = texts(model);
      for (const { name, cached, whole } of cases()) {
        const plain = model.gpu.step();
        const tokens = tokenBatch(rows, model.info);
        const wanted = await readFloats(plain, model.run(plain, { tokens }, { interventions: whole }).logits);
        let step = model.gpu.step();
        const options = { interventions: cached, logits: 'last' } as const;
        const prompts = rows.map((row, b) => row.slice(0, promptLengths[b]));
        const lengths = [...promptLengths];
        const { run, cache } = model.prefill(step, tokenBatch(prompts, model.info), { ...options, capacity: 5 });
        const compare = (got: Float32Array, fed: readonly number[]): void =>
          fed.forEach((count, b) => {
            const at = b * 5 + (lengths[b] as number) - 1;
            if (count > 0)
              expectSame(
                got.subarray(b * V, (b + 1) * V),
                wanted.subarray(at * V, (at + 1) * V),
                `${name}, row ${b}, position ${at - b * 5}`,
              );
          });
        compare(await readFloats(step, run.logits), [1, 1, 1]);
        for (const turn of turns) {
          const ids = Uint32Array.from(turn, (_, b) => rows[b]?.[lengths[b] as number] ?? 0);
          step = model.gpu.step();
          const { logits } = model.decode(step, { ids, B: 3, T: 1, lengths: turn }, cache, options);
          turn.forEach((count, b) => (lengths[b] = (lengths[b] as number) + count));
          assert(
            cache.lengths.join() === lengths.join(),
            `the cache holds ${cache.lengths.join()}, not ${lengths.join()}`,
          );
          compare(await readFloats(step, logits), turn);
        }
        cache.dispose();
      }
    },
  },
  {
    name: 'after the first decoded token no buffer, bind group, pipeline or plan is made, whatever rows pause or end, and disposal frees the cache',
    async check(model) {
      const rows = texts(model);
      const generation = async (): Promise<void> => {
        let step = model.gpu.step();
        const prompts = rows.map((row, b) => row.slice(0, promptLengths[b]));
        const { run, cache } = model.prefill(step, tokenBatch(prompts, model.info), { logits: 'last', capacity: 5 });
        await readFloats(step, run.logits);
        let before = model.gpu.counters.snapshot();
        for (const [n, turn] of turns.entries()) {
          step = model.gpu.step();
          const { logits } = model.decode(step, { ids: new Uint32Array(3), B: 3, T: 1, lengths: turn }, cache, {
            logits: 'last',
          });
          await readFloats(step, logits);
          if (n > 0) {
            const made = model.gpu.counters.since(before);
            for (const key of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
              assert(made[key] === 0, `decoded token ${n + 1} made ${made[key]} ${key}`);
          }
          before = model.gpu.counters.snapshot();
        }
        cache.dispose();
      };
      await generation();
      const { bytesLive } = model.gpu.counters.snapshot();
      await generation();
      const after = model.gpu.counters.snapshot().bytesLive;
      assert(after === bytesLive, `a second generation left ${after - bytesLive} bytes behind`);
    },
  },
  {
    name: 'a cache without room, of another batch or with several new tokens is refused',
    check(model) {
      const step = model.gpu.step();
      const rows = texts(model);
      const tokens = tokenBatch(rows, model.info);
      const token = (B: number, T: number) => ({
        ids: new Uint32Array(B * T),
        B,
        T,
        lengths: range(0, B).map(() => T),
      });
      const { cache } = model.prefill(step, tokens, { capacity: 5 });
      refused('hooks/bad-cache', () => model.decode(step, token(3, 1), cache), 'capacity');
      refused('hooks/bad-cache', () => model.decode(step, token(2, 1), cache), 'prefill');
      refused('hooks/bad-input', () => model.decode(step, token(3, 2), cache), 'prefill');
      for (const capacity of [0, 4, 2.5, model.info.maxPositions + 1])
        refused('hooks/bad-cache', () => model.prefill(step, tokens, { capacity }));
      step.dispose();
      cache.dispose();
      // Of the same size, so that the freed buffers serve.
      const { bytesLive } = model.gpu.counters.snapshot();
      const below = scale('blocks.0.hook_attn_out', 2, { positions: [-1] });
      const failing = model.gpu.step();
      for (let n = 0; n < 2; n++)
        refused('hooks/bad-extent', () => model.prefill(failing, tokens, { interventions: [below], capacity: 5 }));
      failing.dispose();
      assert(model.gpu.counters.snapshot().bytesLive === bytesLive, 'a refused prefill left a cache behind');
      return Promise.resolve();
    },
  },
];
