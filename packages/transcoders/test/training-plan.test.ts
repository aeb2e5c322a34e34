// What a training takes is known before it: bytes by hand, a budget that just suffices and one that is a byte short, and nothing allocated for it.
import type { Gpu } from '@limn/gpu';
import { testGpu } from '@limn/testing';
import { beforeAll, expect, test } from 'vitest';
import { planTraining, traineeBytes, type TrainingSpec } from '../src/index.js';
import { options, source, specs, toyModel, trainIn } from './training-job.js';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const loss = { reconstruction: 'fvu' } as const;

test('a trainee holds weights, two moments of what is trained, and a counter a feature', () => {
  const config = { layer: 0, input: 'hook_mlp_in', inputWidth: 8, outputWidth: 8, features: 24, skip: false } as const;
  const matrices = 2 * 24 * 8 + 24 + 8;
  expect(traineeBytes({ config: { ...config, activation: { kind: 'relu' } } })).toBe(4 * (3 * matrices + 24));
  expect(traineeBytes({ config: { ...config, skip: true, activation: { kind: 'relu' } } })).toBe(
    4 * (3 * (matrices + 64) + 24),
  );
  // θ of JumpReLU is trained, that of BatchTopK is a running mean without moments.
  const jump = { kind: 'jump-relu', bandwidth: 0.1 } as const;
  expect(traineeBytes({ config: { ...config, activation: jump } })).toBe(4 * (3 * (matrices + 24) + 24));
  expect(traineeBytes({ config: { ...config, activation: { kind: 'batch-top-k', k: 3 } } })).toBe(
    4 * (3 * matrices + 24 + 24),
  );
  // GPT-2 small's: 768 → 24,576 → 768.
  const large = { ...config, inputWidth: 768, outputWidth: 768, features: 24_576 };
  expect(traineeBytes({ config: { ...large, activation: { kind: 'top-k', k: 32 } } })).toBe(
    12 * (2 * 24_576 * 768 + 24_576 + 768) + 4 * 24_576,
  );
});

test('the plan adds up, allocates nothing, and refuses a budget that is a byte short', () => {
  const model = toyModel(gpu);
  const before = gpu.counters.snapshot();
  const { trainees, rows, update, memoryBytes } = planTraining(model, source, specs, options);
  expect(memoryBytes).toBe(options.memoryBytes);
  expect(trainees).toBe(specs.reduce((sum, spec) => sum + traineeBytes(spec), 0));
  // Two chunks of three batches of 4 sequences, 7 positions each, of width 8 at the sites that are read or rebuilt.
  const sites = new Set(
    specs.flatMap(({ config: { layer, input } }) => [`${layer} ${input}`, `${layer} hook_mlp_out`]),
  );
  expect(rows).toBe(sites.size * 2 * 3 * 28 * 8 * 4);
  // At least h, a and the gradients of the matrices.
  expect(update).toBeGreaterThan(4 * (2 * 20 * 16 + 2 * 16 * 8));
  const needed = trainees + rows + update;
  expect(planTraining(model, source, specs, { ...options, memoryBytes: needed })).toMatchObject({ update });
  expect(() => planTraining(model, source, specs, { ...options, memoryBytes: needed - 1 })).toThrow(
    expect.objectContaining({
      code: 'memory/over-budget',
      details: { bytesNeeded: needed, trainees, rows, update, memoryBytes: needed - 1 },
    }),
  );
  const { buffersCreated, bytesLive } = gpu.counters.since(before);
  expect([buffersCreated, bytesLive]).toEqual([0, 0]);
});

test('whatever the plan refuses, training refuses too', async () => {
  const [spec] = specs as [TrainingSpec & (typeof specs)[number]];
  const { trainees, rows, update } = planTraining(toyModel(gpu), source, [spec], options);
  const memoryBytes = trainees + rows + update - 1;
  await expect(trainIn(gpu, undefined, { memoryBytes }, [spec])).rejects.toMatchObject({ code: 'memory/over-budget' });
});

test('a cross-layer transcoder and codes with AuxK are planned alike', () => {
  const model = toyModel(gpu);
  const crossLayer = {
    name: 'cross-layer',
    crossLayer: { layers: 2, input: 'hook_mlp_in', width: 8, features: 6, activation: { kind: 'relu' } },
    loss,
  } as const;
  const listed = {
    name: 'listed',
    config: {
      layer: 1,
      input: 'hook_mlp_in',
      inputWidth: 8,
      outputWidth: 8,
      features: 16,
      skip: false,
      activation: { kind: 'top-k', k: 3 },
    },
    loss: { ...loss, auxiliary: { features: 4, weight: 1 / 32 } },
  } as const;
  const plan = planTraining(model, source, [crossLayer, listed], options);
  expect(plan.trainees).toBe(traineeBytes(crossLayer) + traineeBytes(listed));
  const alone = [crossLayer, listed].map((spec) => planTraining(model, source, [spec], options).update);
  expect(plan.update).toBe(Math.max(...alone));
  // Encoders, decoders to the same and all later layers, and biases of both.
  expect(traineeBytes(crossLayer)).toBe(4 * (3 * (2 * 6 * 8 + 3 * 6 * 8 + 2 * 6 + 2 * 8) + 2 * 6));
});
