// What the tests of learning share: a tiny model, its examples, and what is learnt on them.
import { referenceEap } from '@limn/testing';
import { positionTable, type PositionMode, type SteeringMethod, type SteeringSpec } from '../src/index.js';
import { examplesOf, SIZES } from './models.js';

export const reference = referenceEap.randomModel(SIZES, 7);
export const examples = examplesOf(6);
export const prompts = examples.map(({ prompt, roles }) => ({ length: prompt.length, roles }));
const sites = ['hook_attn_out', 'hook_mlp_out'] as const;
export const specOf = (method: SteeringMethod, mode: PositionMode = 'absolute'): SteeringSpec => ({
  method,
  sites,
  positions: positionTable(prompts, mode),
});
export const flip = { goal: { kind: 'flip', margin: 2 }, faithfulnessWeight: 0.2 } as const;
export const scalar = { kind: 'activ-scalar' } as const;
export const bits = (values: Float32Array): number[] => [...new Uint32Array(values.slice().buffer)];
