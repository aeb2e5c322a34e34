// What a model takes on this machine, for `limn doctor --model`: loads it, plans a prompt and its continuation, runs them, and compares.
import { existsSync } from 'node:fs';
import { namedSizes, randomGpt2, type Gpt2, type SizeName, type WeightForm } from '@limn/gpt2';
import { formatBytes, LimnError, type Gpu } from '@limn/gpu';
import {
  allowedPeak,
  expectWithinBound,
  measureMemory,
  PEAK_BOUND,
  planMemory,
  type MemoryMeasurement,
  type MemoryPlan,
} from './model-memory.js';
import { openModel, type OpenModelControls } from './model-source.js';

/** Shapes that can be examined without their weights. */
export const sizeNames = Object.keys(namedSizes) as readonly SizeName[];

/** What to examine. */
export interface ExaminationOptions
  extends Pick<OpenModelControls, 'signal' | 'onProgress' | 'onNotice' | 'budgetBytes'>, Pick<WeightForm, 'weights'> {
  /** Default 64 and 32, or what the model has room for, two to one. */
  readonly promptTokens?: number;
  readonly newTokens?: number;
  /** Called with each finding as soon as it is known. */
  readonly onLine?: (label: string, text: string) => void;
}

export interface ModelExamination {
  readonly name: string;
  /** Weights that were drawn at random for a shape that was named. */
  readonly random: boolean;
  readonly parameters: number;
  readonly processing: string;
  readonly fingerprint: string;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly planned: MemoryPlan;
  readonly measured: MemoryMeasurement;
  /** The ratio that limn promises not to pass by more than the plan's overhead. */
  readonly bound: number;
  readonly loadSeconds: number;
}

/**
 * A folder's model, pocket, or a shape of `namedSizes`, whose weights are then random: nothing is downloaded for those.
 * @throws LimnError as `openModel` and `generate`; `gpu/memory-bound` when limn breaks its promise; `usage/memory-budget` for a shape, whose weights are drawn and not loaded.
 */
export async function examineModel(gpu: Gpu, name: string, options: ExaminationOptions): Promise<ModelExamination> {
  const { signal, onProgress, onLine, weights = 'f32', budgetBytes } = options;
  // What this device was used for before, such as doctor's self-test, is no part of the model.
  gpu.trim();
  const started = performance.now();
  const shape = existsSync(name) ? undefined : sizeNames.find((size) => size === name);
  let model: Gpt2;
  if (shape) {
    if (budgetBytes !== undefined) {
      throw new LimnError(
        'usage/memory-budget',
        `--memory-budget holds for models that are loaded; the weights of ${shape} are drawn`,
        {
          hint: 'Leave it out: the plan says what the shape takes.',
        },
      );
    }
    onProgress?.({ phase: 'drawing weights', done: 0, total: 1 });
    model = await randomGpt2(gpu, namedSizes[shape], 0, { weights, readBack: false });
    onProgress?.({ phase: 'drawing weights', done: 1, total: 1 });
    // What drawing took is no part of the model.
    gpu.trim();
  } else {
    const controls = {
      weights,
      signal,
      onProgress,
      onNotice: options.onNotice,
      onPlan: (line: string) => onLine?.('plan', line),
      ...(budgetBytes === undefined ? {} : { budgetBytes }),
    };
    model = (await openModel(gpu, name, controls).catch((error: unknown) => namingShapes(error, name))).hooked;
  }
  try {
    const loadSeconds = (performance.now() - started) / 1000;
    const { maxPositions, processing, fingerprint } = model.info;
    const promptTokens = options.promptTokens ?? Math.min(64, Math.max(1, Math.floor((2 * maxPositions) / 3)));
    const newTokens = options.newTokens ?? Math.max(1, Math.min(32, maxPositions - promptTokens + 1));
    const parameters = [...model.parameters().values()].reduce(
      (sum, each) => sum + ('rows' in each ? each.rows * each.width : each.size),
      0,
    );
    const what = `${name}${shape ? ' (random weights of its shape)' : ''}`;
    onLine?.(
      'model',
      `${what}: ${parameters.toLocaleString('en-US')} parameters, ${processing === 'none' ? 'f32, unprocessed' : processing}`,
    );
    const planned = planMemory(model, { promptTokens, newTokens });
    onLine?.('planned', describePlanned(planned, promptTokens, newTokens));
    const measured = await measureMemory(model, { promptTokens, newTokens }, planned, {
      ...(signal ? { signal } : {}),
      onToken: (done) => onProgress?.({ phase: 'new tokens', done, total: newTokens, unit: 'tokens' }),
    });
    onLine?.(
      'measured',
      `peak ${formatBytes(measured.peak)}, ${measured.ratio.toFixed(3)} of the planned: ${promiseOf(measured, planned)}`,
    );
    onLine?.('time', describeTime(measured, newTokens, loadSeconds));
    expectWithinBound(measured, planned);
    const about = { name, random: shape !== undefined, parameters, processing, fingerprint };
    return { ...about, promptTokens, newTokens, planned, measured, bound: PEAK_BOUND, loadSeconds };
  } finally {
    model.dispose();
  }
}

function describePlanned(plan: MemoryPlan, promptTokens: number, newTokens: number): string {
  return (
    `weights ${formatBytes(plan.weights)}; a prompt of ${promptTokens} tokens and ${newTokens} more: ` +
    `${formatBytes(plan.cache)} of keys and values, ${formatBytes(plan.prefill)} of other values to read it, ` +
    `${formatBytes(plan.decode)} a token; peak ${formatBytes(plan.peak)}`
  );
}

/** Throws an error on; one about a name that the hub did not give a model for comes with the shapes that need no hub. */
function namingShapes(error: unknown, name: string): never {
  if (!(error instanceof LimnError) || !error.code.startsWith('hub/')) throw error;
  const { code, message, details, hint } = error;
  throw new LimnError(
    code,
    `${message} ${name} is none of the shapes that need no download: ${sizeNames.join(', ')}.`,
    {
      details,
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

function promiseOf({ peak, ratio }: MemoryMeasurement, plan: MemoryPlan): string {
  if (ratio <= PEAK_BOUND) return `within ${PEAK_BOUND}`;
  const kept = peak <= allowedPeak(plan) ? 'within' : 'ABOVE';
  return `${kept} ${PEAK_BOUND} of it and ${formatBytes(plan.overhead)} that buffers take beside their values`;
}

function describeTime(measured: MemoryMeasurement, newTokens: number, loadSeconds: number): string {
  const { prefillSeconds, decodeSeconds } = measured;
  const rate = newTokens > 1 ? `, then ${((newTokens - 1) / decodeSeconds).toFixed(1)} tokens a second` : '';
  return `${loadSeconds.toFixed(1)} s to the weights, ${prefillSeconds.toFixed(2)} s to the first token${rate}`;
}
