// Baselines that add vectors: each against activations that the test captures and adds by hand.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { add, tokenBatch, type HookName } from '@limn/hooks';
import { fromData, readFloats } from '@limn/tensor';
import { referenceEap } from '@limn/testing';
import {
  actAdd,
  caa,
  evaluateSteering,
  meanDifference,
  meanDifferenceOf,
  pcaDirection,
  pcaDirectionOf,
  Steering,
  steererOf,
  type SteeringExample,
  type SteeringValues,
} from '../src/index.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';
import { captured, logitsOf } from './captured-activations.js';
import { referenceDirection } from './reference-direction.js';

const W = SIZES.width;
const AT: HookName = 'blocks.1.hook_resid_pre';
let gpt2: Awaited<ReturnType<typeof gpt2Of>>;
beforeAll(async () => {
  gpt2 = await gpt2Of(referenceEap.randomModel(SIZES, 7));
});
afterAll(() => gpt2.dispose());

const lastOf = async (prompt: readonly number[], at: HookName = AT): Promise<Float32Array> =>
  (await captured(gpt2, prompt, at)).at(-1)!;

const vectorOf = ({ places }: SteeringValues, at: HookName = AT): Float32Array => places.get(at)!.get('vector')!;

/** The steered model against one to which rows are added by hand at some positions, at strength 1.5. */
async function expectAdds(
  values: SteeringValues,
  prompt: readonly number[],
  rows: readonly (readonly [position: number, vector: Float32Array])[],
): Promise<void> {
  using steering = new Steering(gpt2, values.spec, { values: [values] });
  const found = await logitsOf(gpt2, prompt, steering.interventions({ strength: 1.5 }));
  using step = gpt2.gpu.step();
  const interventions = rows.map(([position, vector]) =>
    add(
      AT,
      fromData(
        step,
        vector.map((x) => 1.5 * x),
        [W],
      ),
      { positions: [position] },
    ),
  );
  const tokens = tokenBatch([prompt], gpt2.info);
  const expected = await readFloats(step, gpt2.run(step, { tokens }, { interventions, logits: 'last' }).logits);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4));
  const untouched = await logitsOf(gpt2, prompt);
  expect(Math.max(...found.map((value, i) => Math.abs(value - untouched[i]!)))).toBeGreaterThan(0.01);
}

const close = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length);
  Array.from(a).forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 4));
};

/** mean of some rows minus mean of others. */
function difference(a: readonly Float32Array[], b: readonly Float32Array[]): Float64Array {
  const mean = (rows: readonly Float32Array[], j: number): number =>
    rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length;
  return Float64Array.from({ length: W }, (_, j) => mean(a, j) - mean(b, j));
}

describe('actAdd', () => {
  const [plus, minus] = [
    [0, 3, 8, 1],
    [0, 5, 8, 2],
  ];

  it('is what two prompts differ by, token by token, added to the front of shorter and longer prompts', async () => {
    const values = await actAdd(gpt2, plus, minus, 1, { skip: 1 });
    const [a, b] = await Promise.all([captured(gpt2, plus, AT), captured(gpt2, minus, AT)]);
    const rows = [1, 2, 3].map((t) => Float32Array.from(a[t]!, (x, j) => x - b[t]![j]!));
    close(
      vectorOf(values),
      rows.flatMap((row) => [...row]),
    );
    await expectAdds(
      values,
      [0, 9, 4, 2, 7, 1],
      [1, 2, 3].map((t) => [t, rows[t - 1]!] as const),
    );
    await expectAdds(
      values,
      [0, 9, 4],
      [1, 2].map((t) => [t, rows[t - 1]!] as const),
    );
  });

  it('fills up the shorter prompt, and refuses to guess by what', async () => {
    close(
      vectorOf(await actAdd(gpt2, plus, [0, 5], 1, { padId: 6 })),
      vectorOf(await actAdd(gpt2, plus, [0, 5, 6, 6], 1)),
    );
    await expect(actAdd(gpt2, plus, [0, 5], 1)).rejects.toMatchObject({ code: 'data/steering-length' });
    await expect(actAdd(gpt2, plus, minus, 2)).rejects.toMatchObject({ code: 'usage/steering-layer' });
  });
});

describe('caa', () => {
  const examples = examplesOf(5, { lengths: [5, 3, 4] });

  it('is the mean difference behind the two answers, added at the last token of any prompt', async () => {
    const values = await caa(gpt2, examples, { layers: [1] }, { batchSize: 3 });
    const behind = (side: 'correct' | 'wrong'): Promise<Float32Array[]> =>
      Promise.all(examples.map((example) => lastOf([...example.prompt, example[side]])));
    const expected = difference(await behind('correct'), await behind('wrong'));
    close(vectorOf(values), expected);
    await expectAdds(values, [1, 2, 3, 4, 5, 6], [[5, Float32Array.from(expected)]]);
  });

  it('or at every token, from the first that is not left alone', async () => {
    const values = await caa(gpt2, examples, { layers: [1], positions: 'all', skip: 1 });
    const vector = vectorOf(values);
    await expectAdds(
      values,
      [1, 2, 3, 4],
      [1, 2, 3].map((t) => [t, vector] as const),
    );
  });

  it('takes several layers and other sites, and refuses prompts that leave no room for an answer', async () => {
    const values = await caa(gpt2, examples, { site: 'hook_mlp_out', layers: [0, 1] });
    const at: HookName = 'blocks.0.hook_mlp_out';
    const behind = (side: 'correct' | 'wrong'): Promise<Float32Array[]> =>
      Promise.all(examples.map((example) => lastOf([...example.prompt, example[side]], at)));
    close(vectorOf(values, at), difference(await behind('correct'), await behind('wrong')));
    expect([...values.places.keys()]).toEqual([at, 'blocks.1.hook_mlp_out']);
    const full = examplesOf(1, { lengths: [SIZES.positions] });
    await expect(caa(gpt2, full, { layers: [1] })).rejects.toMatchObject({ code: 'tokens/too-long' });
    await expect(caa(gpt2, [], { layers: [1] })).rejects.toMatchObject({ code: 'data/steering-empty' });
  });
});

describe('meanDifference', () => {
  const examples = examplesOf(8, { lengths: [5, 3] });

  it('is between the prompts on which the untouched model says either answer', async () => {
    const values = await meanDifference(gpt2, examples, { layers: [1] });
    const sides = await Promise.all(
      examples.map(async ({ prompt, correct, wrong }) => {
        const logits = await logitsOf(gpt2, prompt);
        return { h: await lastOf(prompt), right: logits[correct]! > logits[wrong]! };
      }),
    );
    const of = (right: boolean): Float32Array[] => sides.filter((side) => side.right === right).map(({ h }) => h);
    expect([of(true).length, of(false).length].every((count) => count > 1)).toBe(true);
    close(vectorOf(values), difference(of(true), of(false)));
  });

  it('or between given groups, neither of which may be empty', async () => {
    const [a, b] = [
      [[1, 2, 3]],
      [
        [4, 5],
        [6, 7, 8, 9],
      ],
    ];
    const values = await meanDifferenceOf(gpt2, a, b, { layers: [1] });
    close(
      vectorOf(values),
      difference(await Promise.all(a.map((x) => lastOf(x))), await Promise.all(b.map((x) => lastOf(x)))),
    );
    await expect(meanDifferenceOf(gpt2, a, [], { layers: [1] })).rejects.toMatchObject({
      code: 'data/steering-groups',
    });
    const oneSided = [0, 1].map((): SteeringExample => examples[0]!);
    await expect(meanDifference(gpt2, oneSided, { layers: [1] })).rejects.toMatchObject({
      code: 'data/steering-groups',
    });
  });
});

describe('pcaDirection', () => {
  const examples = examplesOf(7, { lengths: [5, 3] });

  it.each(['differences', 'pairs'] as const)(
    'is a unit vector along which %s vary most, right answers further along it than wrong ones',
    async (centre) => {
      const direction = vectorOf(await pcaDirection(gpt2, examples, { layers: [1] }, { centre }));
      const rows = await Promise.all(
        examples.map(async ({ prompt, correct, wrong }) => {
          const [a, b] = await Promise.all([lastOf([...prompt, correct]), lastOf([...prompt, wrong])]);
          return Float64Array.from(a, (x, j) => x - b[j]!);
        }),
      );
      const expected = referenceDirection(rows, centre === 'differences');
      const along = rows.map((row) => row.reduce((sum, x, j) => sum + x * expected[j]!, 0));
      const sign = along.filter((x) => x > 0).length > along.length / 2 ? 1 : -1;
      // Activations in f32.
      direction.forEach((x, j) => expect(x).toBeCloseTo(sign * expected[j]!, 3));
      expect(Math.hypot(...direction)).toBeCloseTo(1, 6);
    },
  );

  it('of given pairs: turned round, it points the other way; pairs that do not differ have none', async () => {
    const pairs = [
      [
        [1, 2],
        [3, 2, 4],
      ],
      [
        [5, 6, 7],
        [8, 1],
      ],
      [
        [9, 2],
        [4, 4],
      ],
    ] as [number[], number[]][];
    const forth = vectorOf(await pcaDirectionOf(gpt2, pairs, { layers: [1] }));
    const back = vectorOf(
      await pcaDirectionOf(
        gpt2,
        pairs.map(([a, b]) => [b, a] as const),
        { layers: [1] },
      ),
    );
    close(
      forth,
      back.map((x) => -x),
    );
    const same = [
      [
        [1, 2],
        [1, 2],
      ],
    ] as [number[], number[]][];
    await expect(pcaDirectionOf(gpt2, same, { layers: [1] })).rejects.toMatchObject({
      code: 'data/steering-direction',
    });
    await expect(pcaDirectionOf(gpt2, [], { layers: [1] })).rejects.toMatchObject({ code: 'data/steering-groups' });
  });
});

it('every vector is a steerer: strength 0 is the untouched model, and both signs are measured', async () => {
  const examples = examplesOf(6, { lengths: [5, 3] });
  const all = await Promise.all([
    caa(gpt2, examples, { layers: [1] }),
    meanDifference(gpt2, examples, { layers: [1] }),
    pcaDirection(gpt2, examples, { layers: [0, 1] }),
    actAdd(gpt2, [1, 2, 3], [4, 5, 6], 1),
  ]);
  for (const values of all) {
    using steering = new Steering(gpt2, values.spec, { values: [values] });
    const steerer = steererOf('vector', steering, { nonZero: 1, scale: 2 });
    for (const { untouchedDelta, outcomes } of await evaluateSteering(gpt2, steerer, examples, {
      strengths: [0, 1, -1],
    })) {
      expect(outcomes[0]!.delta).toBeCloseTo(untouchedDelta, 4);
      expect(outcomes[1]!.delta).not.toBeCloseTo(untouchedDelta, 3);
    }
  }
});
