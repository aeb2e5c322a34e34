// Which value a token takes in each mode, splits with no entity on two sides, and the places that can be steered.
import { describe, expect, it } from 'vitest';
import {
  isLive,
  positionTable,
  slotsOf,
  splitByEntity,
  steeredPlaces,
  type PositionMode,
  type SteerableSite,
  type SteeredModel,
  type SteeringExample,
} from '../src/index.js';

const code = (run: () => unknown): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('positions', () => {
  const prompts = [
    { length: 4, roles: ['bos', 'subject', undefined, 'end'] },
    { length: 6, roles: ['bos', 'filler', 'filler', 'subject', undefined, 'end'] },
  ];

  it('from-end: the last token is −1 in prompts of every length, and tokens beyond the longest known are left alone', () => {
    const table = positionTable(prompts, 'from-end', { skip: 1 });
    expect(table.names).toEqual(['-1', '-2', '-3', '-4', '-5']);
    expect([...slotsOf(table, { length: 4 })]).toEqual([-1, 2, 1, 0]);
    expect([...slotsOf(table, { length: 8 })]).toEqual([-1, -1, -1, 4, 3, 2, 1, 0]);
  });

  it('role: by name wherever it stands; a token without a name, or with one never seen, is left alone', () => {
    const table = positionTable(prompts, 'role', { skip: 1 });
    expect(table.names).toEqual(['subject', 'end', 'filler']);
    expect([...slotsOf(table, prompts[1]!)]).toEqual([-1, 2, 2, 0, -1, 1]);
    expect([...slotsOf(table, { length: 3, roles: ['subject', 'new', 'end'] })]).toEqual([-1, -1, 1]);
  });

  it('absolute: the length is part of it; none: one for all', () => {
    const table = positionTable([{ length: 4 }, { length: 4 }], 'absolute', { skip: 1 });
    expect(table).toEqual({ mode: 'absolute', names: ['1', '2', '3'], skip: 1, length: 4 });
    expect([...slotsOf(table, { length: 4 })]).toEqual([-1, 0, 1, 2]);
    expect([...slotsOf(positionTable(prompts, 'none', { skip: 2 }), { length: 4 })]).toEqual([-1, -1, 0, 0]);
  });

  it('refuses what does not fit, with a cure', () => {
    const table = positionTable([{ length: 4 }], 'absolute');
    expect(code(() => slotsOf(table, { length: 5 }))).toBe('data/steering-length');
    expect(() => slotsOf(table, { length: 5 }, 3)).toThrow(/Prompt 3 has 5 tokens; .* prompts of 4/);
    expect(code(() => positionTable(prompts, 'absolute'))).toBe('data/steering-length');
    expect(code(() => positionTable([{ length: 4 }], 'role'))).toBe('data/steering-roles');
    expect(code(() => slotsOf(positionTable(prompts, 'role'), { length: 4 }))).toBe('data/steering-roles');
    expect(code(() => positionTable(prompts, 'middle' as PositionMode))).toBe('usage/position-mode');
  });
});

describe('splits', () => {
  const entities = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J'];
  const examples: SteeringExample[] = entities.flatMap((a) =>
    entities.filter((b) => b !== a).map((b) => ({ prompt: [1], correct: 2, wrong: 3, entities: [a, b] })),
  );

  it('no entity is on two sides, and what mixes sides is in none', () => {
    const split = splitByEntity(examples, { seed: 5 });
    const of = (part: readonly SteeringExample[]) => new Set(part.flatMap((example) => example.entities!));
    const [train, validation, test] = [of(split.train), of(split.validation), of(split.test)];
    expect([train.size, validation.size, test.size]).toEqual([6, 2, 2]);
    expect([...train, ...validation, ...test].sort()).toEqual(entities);
    expect([split.train.length, split.validation.length, split.test.length, split.mixed]).toEqual([30, 2, 2, 56]);
  });

  it('depends on the seed and not on the order of examples', () => {
    const named = (seed: number, of = examples) =>
      splitByEntity(of, { seed })
        .test.map((example) => example.entities!.join())
        .sort();
    expect(named(1, [...examples].reverse())).toEqual(named(1));
    expect(new Set([1, 2, 3, 4, 5].map((seed) => named(seed).join(' '))).size).toBeGreaterThan(1);
  });

  it('examples about nothing are split one by one; a part without any is refused', () => {
    const plain = Array.from({ length: 10 }, (): SteeringExample => ({ prompt: [1], correct: 2, wrong: 3 }));
    const { train, validation, test, mixed } = splitByEntity(plain);
    expect([train.length, validation.length, test.length, mixed]).toEqual([6, 2, 2, 0]);
    expect(code(() => splitByEntity(examples.slice(0, 1)))).toBe('data/steering-split');
    expect(code(() => splitByEntity(examples, { train: 0.9, validation: 0.2 }))).toBe('usage/steering-option');
  });
});

describe('places', () => {
  const info = { layers: 3, heads: 2, headWidth: 4, width: 8, mlpWidth: 10, block: 'sequential' } as const;
  const placesOf = (of: SteeredModel, sites: readonly string[], layers?: readonly number[]) =>
    steeredPlaces(of, {
      method: { kind: 'activ-scalar' },
      sites: sites as SteerableSite[],
      ...(layers ? { layers } : {}),
    });

  it('come layer by layer, with the numbers of each', () => {
    const places = placesOf(info, ['hook_mlp_out', 'hook_attn_out', 'attn.hook_z', 'mlp.hook_post'], [2, 0]);
    expect(places.map(({ at }) => at)).toEqual(
      [0, 2].flatMap((l) =>
        ['hook_attn_out', 'hook_mlp_out', 'attn.hook_z', 'mlp.hook_post'].map((site) => `blocks.${l}.${site}`),
      ),
    );
    expect(places.slice(0, 4).map(({ elements, units }) => [elements, units])).toEqual([
      [8, 1],
      [8, 1],
      [8, 2],
      [10, 10],
    ]);
  });

  it('in the last layer only the last position lives, except where attention reads', () => {
    const places = placesOf(info, ['hook_attn_out', 'hook_resid_pre']);
    const live = places.map((place) => [0, 1, 2].map((position) => isLive(info, place, position, 3)));
    expect(live.slice(0, 4).flat().every(Boolean)).toBe(true);
    expect(live.slice(4)).toEqual([
      [false, false, true],
      [true, true, true],
    ]);
  });

  it('refuses sites, layers and streams that there are not', () => {
    expect(code(() => placesOf(info, ['hook_q']))).toBe('usage/steering-site');
    expect(code(() => placesOf({ ...info, block: 'parallel' }, ['hook_resid_mid']))).toBe('usage/steering-site');
    expect(code(() => placesOf(info, ['hook_mlp_out'], [3]))).toBe('usage/steering-layer');
    expect(code(() => placesOf(info, []))).toBe('usage/steering-site');
  });
});
