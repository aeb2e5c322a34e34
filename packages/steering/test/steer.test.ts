// Steering as interventions: each method by its definition on a captured run, strengths and sets of values by row, prompts of several lengths, and while generating.
import { describe, expect, it } from 'vitest';
import { ablate, generate, scale, tokenBatch, type Intervention } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { referenceEap, referenceRandom } from '@limn/testing';
import { positionTable, Steering, type SteeringExample, type SteeringMethod, type SteeringSpec } from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const reference = referenceEap.randomModel(SIZES, 7);
const random = referenceRandom(17);
const W = SIZES.width;

/** A steering of random values. */
async function randomSteering(
  method: SteeringMethod,
  examples: readonly SteeringExample[],
  mode: 'absolute' | 'from-end' | 'role' | 'none',
) {
  const gpt2 = await gpt2Of(reference);
  const positions = positionTable(
    examples.map(({ prompt, roles }) => ({ length: prompt.length, roles })),
    mode,
    { skip: 1 },
  );
  const spec: SteeringSpec = { method, sites: ['hook_attn_out', 'hook_mlp_out'], positions };
  const steering = new Steering(gpt2, spec);
  for (const { at, form, tensor } of steering.parameters)
    steering.write(at, form.name, Float32Array.from(random.normals(tensor.size, 0.5)));
  return { gpt2, steering };
}

async function lastLogits(
  gpt2: Awaited<ReturnType<typeof gpt2Of>>,
  examples: readonly SteeringExample[],
  interventions: readonly Intervention[],
): Promise<Float32Array[]> {
  using step = gpt2.gpu.step();
  const tokens = tokenBatch(
    examples.map(({ prompt }) => prompt),
    gpt2.info,
  );
  const logits = await readFloats(step, gpt2.run(step, { tokens }, { interventions, logits: 'last' }).logits);
  return examples.map((_, i) => logits.slice(i * SIZES.vocabulary, (i + 1) * SIZES.vocabulary));
}

const close = (a: Float32Array, b: Float32Array): void => a.forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 4));

describe('strengths and sets of values', () => {
  it('a batch of prompts of several lengths is each prompt by itself, at its own strength', async () => {
    const examples = examplesOf(5, { lengths: [5, 3, 7] });
    for (const kind of ['activ-scalar', 'steer-vec', 'dyn-scalar', 'gated-scalar'] as const) {
      const { gpt2, steering } = await randomSteering({ kind }, examples, kind === 'dyn-scalar' ? 'none' : 'role');
      const strength = [1, -1, 0, 0.5, -2];
      const roles = examples.map((example) => example.roles);
      const all = await lastLogits(gpt2, examples, steering.interventions({ strength, roles }));
      for (const [i, example] of examples.entries()) {
        const [alone] = await lastLogits(
          gpt2,
          [example],
          steering.interventions({ strength: strength[i]!, roles: [roles[i]!] }),
        );
        close(all[i]!, alone!);
      }
      const [untouched] = await lastLogits(gpt2, [examples[2]!], []);
      close(all[2]!, untouched!);
      steering.dispose();
      gpt2.dispose();
    }
  });

  it('βα = −1 is zero ablation of the cell, and any α the factor 1 + βα', async () => {
    const examples = examplesOf(2);
    const { gpt2, steering } = await randomSteering({ kind: 'activ-scalar' }, examples, 'absolute');
    for (const { at, tensor } of steering.parameters) steering.write(at, 'alpha', new Float32Array(tensor.size));
    // Position 2 is the second of those from 1 on.
    steering.write('blocks.0.hook_mlp_out', 'alpha', Float32Array.of(0, -0.5, 0, 0));
    const at = 'blocks.0.hook_mlp_out';
    const zeroed = await lastLogits(gpt2, examples, steering.interventions({ strength: 2 }));
    (await lastLogits(gpt2, examples, [ablate(at, 'zero', { positions: [2] })])).forEach((expected, i) =>
      close(zeroed[i]!, expected),
    );
    const weaker = await lastLogits(gpt2, examples, steering.interventions({ strength: 1 }));
    (await lastLogits(gpt2, examples, [scale(at, 0.5, { positions: [2] })])).forEach((expected, i) =>
      close(weaker[i]!, expected),
    );
    steering.dispose();
    gpt2.dispose();
  });

  it('rows of one batch may take different sets of values', async () => {
    const examples = examplesOf(1);
    const { gpt2, steering } = await randomSteering({ kind: 'activ-scalar' }, examples, 'absolute');
    const other = await randomSteering({ kind: 'activ-scalar' }, examples, 'absolute');
    const sets = [await steering.values(), await other.steering.values()];
    const both = new Steering(gpt2, steering.spec, { values: sets });
    expect(both.parameterCount).toBe(steering.parameterCount);
    const rows = [examples[0]!, examples[0]!, examples[0]!];
    const found = await lastLogits(gpt2, rows, both.interventions({ strength: -1, candidates: [1, 0, 1] }));
    const [first] = await lastLogits(gpt2, examples, steering.interventions({ strength: -1 }));
    close(found[1]!, first!);
    const again = new Steering(gpt2, steering.spec, { values: [sets[1]!] });
    const [second] = await lastLogits(gpt2, examples, again.interventions({ strength: -1 }));
    for (const i of [0, 2]) close(found[i]!, second!);
    expect(Math.max(...first!.map((value, i) => Math.abs(value - second![i]!)))).toBeGreaterThan(0.01);
    await expect(lastLogits(gpt2, rows, both.interventions({ candidates: [0, 2, 0] }))).rejects.toMatchObject({
      code: 'usage/steering-option',
    });
    await expect(lastLogits(gpt2, rows, both.interventions({ strength: [1] }))).rejects.toMatchObject({
      code: 'usage/steering-option',
    });
    const read = await both.values(1);
    expect([...read.places.values()].map((own) => [...own.get('alpha')!])).toEqual(
      [...sets[1]!.places.values()].map((own) => [...own.get('alpha')!]),
    );
    for (const each of [steering, other.steering, both, again]) each.dispose();
    other.gpt2.dispose();
    gpt2.dispose();
  });

  it('a vector is added whatever the activation, a scale keeps its direction', async () => {
    const examples = examplesOf(2);
    for (const kind of ['steer-vec', 'activ-scalar', 'dimension-scale'] as const) {
      const { gpt2, steering } = await randomSteering({ kind }, examples, 'absolute');
      using step = gpt2.gpu.step();
      const tokens = tokenBatch(
        examples.map(({ prompt }) => prompt),
        gpt2.info,
      );
      const at = 'blocks.0.hook_attn_out';
      const interventions = steering.interventions({ strength: 0.7 }).filter((each) => each.at === at);
      const captured = [[], interventions].map((edits) =>
        gpt2.run(step, { tokens }, { capture: [at], interventions: edits, stopAtLayer: 1 }).at(at),
      );
      const [bare, steered] = (await Promise.all(captured.map((x) => readFloats(step, x)))) as [
        Float32Array,
        Float32Array,
      ];
      const values = (await steering.values()).places.get(at)!.get(kind === 'steer-vec' ? 'vector' : 'alpha')!;
      for (let i = 0; i < bare.length; i++) {
        const t = Math.floor(i / W) % 5;
        const j = i % W;
        const factor = kind === 'activ-scalar' ? values[t - 1]! : values[(t - 1) * W + j]!;
        const expected =
          t === 0 ? bare[i]! : kind === 'steer-vec' ? bare[i]! + 0.7 * factor : bare[i]! * (1 + 0.7 * factor);
        expect(steered[i]).toBeCloseTo(expected, 4);
      }
      steering.dispose();
      gpt2.dispose();
    }
  });
});

describe('while generating', () => {
  const prompt = [3, 7, 1, 9];
  const tokensOf = async (
    gpt2: Awaited<ReturnType<typeof gpt2Of>>,
    interventions: readonly Intervention[],
  ): Promise<readonly number[]> => {
    const { tokens } = await generate(gpt2, [prompt], { maxNewTokens: 4, interventions, eosIds: [] });
    return tokens[0]!.slice(prompt.length);
  };
  /** The same without a cache: the whole text again for every token. */
  const slowly = async (
    gpt2: Awaited<ReturnType<typeof gpt2Of>>,
    interventions: (length: number) => readonly Intervention[],
  ) => {
    const text = [...prompt];
    for (let i = 0; i < 4; i++) {
      const [logits] = await lastLogits(gpt2, [{ prompt: text, correct: 0, wrong: 1 }], interventions(text.length));
      text.push(logits!.indexOf(Math.max(...logits!)));
    }
    return text.slice(prompt.length);
  };

  it.each(['activ-scalar', 'steer-vec', 'dyn-scalar'] as const)(
    '%s for every position reaches generated tokens, or the part it is told',
    async (kind) => {
      const examples = [{ prompt, correct: 0, wrong: 1 }];
      const { gpt2, steering } = await randomSteering({ kind }, examples, 'none');
      const everywhere = await tokensOf(gpt2, steering.interventions({ strength: 1.5 }));
      expect(everywhere).toEqual(await slowly(gpt2, () => steering.interventions({ strength: 1.5 })));
      const inPrompt = await tokensOf(gpt2, steering.interventions({ strength: 1.5, phase: 'prompt' }));
      const afterwards = await tokensOf(gpt2, steering.interventions({ strength: 1.5, phase: 'generated' }));
      const untouched = await tokensOf(gpt2, []);
      // The first new token follows from the prompt alone.
      expect(inPrompt[0]).toBe(everywhere[0]);
      expect(afterwards[0]).toBe(untouched[0]);
      steering.dispose();
      gpt2.dispose();
    },
  );

  it('a strength that moves is asked for at every token', async () => {
    const examples = [{ prompt, correct: 0, wrong: 1 }];
    const { gpt2, steering } = await randomSteering({ kind: 'steer-vec' }, examples, 'none');
    const strengths = [2, 2, -3, -3];
    let asked = 0;
    const found = await tokensOf(gpt2, steering.interventions({ strength: () => strengths[asked++] ?? 0 }));
    expect(asked).toBe(4);
    // Every token's own part of the stream keeps the strength that it was read at.
    const text = [...prompt];
    const at = (length: number): number[] =>
      Array.from({ length }, (_, t) => strengths[Math.max(0, t - prompt.length + 1)] ?? 0);
    for (let i = 0; i < 4; i++) {
      const edits = steering.places.flatMap((place) =>
        at(text.length).map((strength, t) => ({
          ...steering.interventions({ strength }).find((each) => each.at === place.at)!,
          positions: [t],
        })),
      );
      const [logits] = await lastLogits(gpt2, [{ prompt: text, correct: 0, wrong: 1 }], edits);
      text.push(logits!.indexOf(Math.max(...logits!)));
    }
    expect(found).toEqual(text.slice(prompt.length));
    steering.dispose();
    gpt2.dispose();
  });

  it('values by position hold in the prompt, whatever comes behind it', async () => {
    const examples = [{ prompt, correct: 0, wrong: 1 }];
    const { gpt2, steering } = await randomSteering({ kind: 'activ-scalar' }, examples, 'from-end');
    const found = await tokensOf(gpt2, steering.interventions({ strength: -1 }));
    // The same cells by absolute position, which longer texts leave where they are.
    const absolute = await steering.values();
    const places = steering.places.map(({ at }) => {
      const alpha = absolute.places.get(at)!.get('alpha')!;
      return [1, 2, 3].map((position) =>
        scale(at, 1 - alpha[prompt.length - 1 - position]!, { positions: [position] }),
      );
    });
    expect(found).toEqual(await slowly(gpt2, () => places.flat()));
    steering.dispose();
    gpt2.dispose();
  });
});
