// Learning to steer: Adam on E + λ_F F, the minimality penalty by its proximal step, and a last fit of what is not 0.
import { throwIfAborted, type Step } from '@limn/gpu';
import { drawInPasses, recordWithin, settleControls, type HookedModel } from '@limn/hooks';
import { adamw, fromData, mul, readFloats, type AdamW, type Tensor } from '@limn/tensor';
import { checkExamples, type SteeringExample } from './examples.js';
import { learntValues } from './learnt-values.js';
import { settleObjective } from './objective.js';
import { prepareExamples } from './prepare-examples.js';
import { Steering, type SteeringSpec, type SteeringValues } from './steering.js';
import { settleTraining, type TrainingSettings, type TrainSteeringOptions } from './train-options.js';
import { readTraining, trainingKey, trainingText, valuesDigest } from './training-checkpoint.js';
import { hasSettled, penaltyOf, RECORD_EVERY, type TrainingRecord, type UpdateFigures } from './training-record.js';
import { recordUpdate, type UpdateSetup } from './training-step.js';

/** Learnt steering. */
export interface TrainedSteering {
  readonly values: SteeringValues;
  /** The values before the last fit; the same where there was none. */
  readonly sparse: SteeringValues;
  readonly history: readonly TrainingRecord[];
  /** Updates in all. */
  readonly updates: number;
  /** Whether the first part ended because nothing changed any more. */
  readonly settled: boolean;
}

/**
 * Minimises E + λ_F F over the examples, each run at strengths +1 and −1 at once, with λ_M M by a proximal step in Adam's own metric
 * (values become exactly 0, and stay it while |∂(E + λ_F F)| < λ_M), then fits what is not 0 with λ_M = 0, as lasso estimates are debiased.
 * All values come from one backward pass an update; weights get no gradient. Starting from zeros the first gradient of ActivScalar is
 * Σ β ⟨h, ∂L/∂h⟩: gradient times activation.
 * @throws LimnError `usage/steering-option`, `usage/steering-objective`, `usage/steering-method`, `usage/steering-site`, `usage/steering-layer`,
 * `usage/steering-only`, `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`, `data/steering-length`,
 * `data/steering-fingerprint`, `data/steering-values`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function trainSteering(
  model: HookedModel,
  examples: readonly SteeringExample[],
  spec: SteeringSpec,
  options: TrainSteeringOptions,
): Promise<TrainedSteering> {
  const { signal, onProgress, retained = [], checkpoints, start } = options;
  const { batchSize, memoryBytes } = settleControls(options);
  const objective = settleObjective(options.objective);
  checkExamples(examples, model.info);
  if (retained.length > 0) checkExamples(retained, model.info);
  const settings = settleTraining(options, spec.method, examples.length + retained.length);
  const { penaltyWeight, penalty, updates, refitUpdates } = settings;
  const steering = new Steering(model, spec, start ? { values: [start] } : {});
  let optimiser: AdamW | undefined;
  try {
    const controls = { batchSize, memoryBytes, ...(signal ? { signal } : {}) };
    const prepared = await prepareExamples(model, examples, retained, controls);
    const setup: UpdateSetup = {
      model,
      steering,
      objective,
      producedWeight: penalty === 'produced' ? penaltyWeight : 0,
    };
    const targets = steering.parameters.map(({ tensor }) => tensor);
    const readAll = (): Promise<Float32Array[]> =>
      Promise.all(targets.map((tensor) => model.gpu.read(tensor.storage, 'f32')));
    const learnt = options.only && learntValues(steering, options.only);
    const open = (): Step => model.gpu.step({ label: 'steering', ...(signal ? { signal } : {}) });
    const atOnce = fitting(setup, prepared, { ...settings, batchSize, memoryBytes, open });

    const key =
      checkpoints &&
      (await trainingKey(model.info, [examples, retained], {
        machine: checkpoints.machine,
        settings: {
          spec,
          objective,
          settings,
          batchSize,
          memoryBytes,
          start: start ? await valuesDigest(start) : null,
        },
      }));
    const history: TrainingRecord[] = [];
    /** Updates that no record stands for yet. */
    const since: UpdateFigures[] = [];
    let update = 0;
    let endedAt: number | undefined;
    let sparse: Float32Array[] | undefined;
    optimiser = optimiserOf(steering, settings, true);
    if (checkpoints && key !== undefined) {
      const blank = await optimiser.state();
      const found = await readTraining(await checkpoints.store.read(key), key, blank);
      if (found) {
        targets.forEach((tensor, i) => model.gpu.write(tensor.storage, found.values[i] as Float32Array));
        history.push(...found.history);
        since.push(...found.since);
        ({ update, endedAt } = found);
        sparse = found.sparse && [...found.sparse];
        if (sparse) {
          optimiser.dispose();
          optimiser = optimiserOf(steering, settings, false);
        }
        optimiser.load(found.optimiser);
      }
    }
    let written = update;
    const keep = async (): Promise<void> => {
      if (!checkpoints || key === undefined || !optimiser || update === written) return;
      const state = {
        update,
        values: await readAll(),
        sparse,
        optimiser: await optimiser.state(),
        history,
        since,
        endedAt,
      };
      await checkpoints.store.write(key, await trainingText(state, key));
      written = update;
    };

    for (;;) {
      const firstEnd = endedAt ?? updates;
      if (sparse === undefined && update >= firstEnd) {
        sparse = await readAll();
        if (refitUpdates > 0) {
          optimiser.dispose();
          optimiser = optimiserOf(steering, settings, false);
        }
      }
      const end = firstEnd + refitUpdates;
      if (update >= end) break;
      // Between two updates the state is whole; within one the last checkpoint stands.
      if (signal?.aborted === true) await keep();
      throwIfAborted(signal, 'Learning to steer');
      const batch = drawInPasses(prepared, update, settings);
      const step = open();
      try {
        const recorded = recordUpdate(
          step,
          setup,
          batch,
          atOnce(Math.max(...batch.map(({ prompt }) => prompt.length))),
        );
        const slopes = ofLearnt(step, recorded.slopes, sparse, learnt);
        const progress = sparse ? (update - firstEnd) / Math.max(1, refitUpdates) : update / updates;
        // AdamW takes gradients in the order of its groups.
        const bySlot = optimiser.tensors.map((tensor) => slopes[targets.indexOf(tensor)]);
        optimiser.step(step, bySlot, {
          rateScale: (sparse ? 0.5 : 1) * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress))),
        });
        const read = (x: Tensor | undefined): Promise<number> =>
          x ? readFloats(step, x).then(([value]) => value as number) : Promise.resolve(0);
        since.push(await Promise.all([read(recorded.effect), read(recorded.drift), read(recorded.produced)]));
      } finally {
        step.dispose();
      }
      update++;
      onProgress?.({ unit: 'updates', done: update, total: end });
      if (update % RECORD_EVERY !== 0) {
        if (update % settings.every === 0) await keep();
        continue;
      }
      const mean = (i: 0 | 1 | 2): number => since.reduce((sum, each) => sum + each[i], 0) / since.length;
      const { amount, nonZero } = penaltyOf(penalty, steering.parameters, await readAll());
      history.push({
        update,
        effect: mean(0),
        drift: mean(1),
        penalty: penalty === 'produced' ? mean(2) : amount,
        nonZero,
      });
      since.length = 0;
      const { goal, faithfulnessWeight } = objective;
      const reached = goal.kind === 'flip' ? 0.01 * goal.margin : goal.tolerance ** 2;
      if (settings.stopEarly && !sparse && hasSettled(history, { faithfulnessWeight, penaltyWeight, reached }))
        endedAt = update;
      if (update % settings.every === 0) await keep();
    }
    await keep();
    const values = await steering.values();
    steering.parameters.forEach(({ at, form }, i) => steering.write(at, form.name, sparse?.[i] as Float32Array));
    return { values, sparse: await steering.values(), history, updates: update, settled: endedAt !== undefined };
  } finally {
    optimiser?.dispose();
    steering.dispose();
  }
}

/** Values by position are penalised; probes and thresholds are not. Nothing is, once survivors are fitted. */
function optimiserOf(
  steering: Steering,
  { rate, penalty, penaltyWeight }: TrainingSettings,
  penalised: boolean,
): AdamW {
  const named = steering.parameters.map(({ at, form, tensor }) => ({
    form,
    param: { name: `${at} ${form.name}`, tensor },
  }));
  const group = (name: string, byPosition: boolean) => ({
    name,
    rate,
    params: named.filter(({ form }) => form.byPosition === byPosition).map(({ param }) => param),
  });
  const shrinks = penalised && penaltyWeight > 0 && penalty !== 'produced';
  const values = {
    ...group('values', true),
    ...(shrinks ? { proximal: penalty === 'l1' ? { l1: penaltyWeight } : { rowL2: penaltyWeight } } : {}),
  };
  return adamw(
    steering.gpu,
    [values, group('probes', false)].filter(({ params }) => params.length > 0),
    { clipNorm: 1 },
  );
}

/** Gradients of values that were 0 when the survivors were fixed, or that are not to be learnt, become 0. */
function ofLearnt(
  step: Step,
  slopes: readonly Tensor[],
  sparse: readonly Float32Array[] | undefined,
  learnt: readonly Uint8Array[] | undefined,
): readonly Tensor[] {
  if (!sparse && !learnt) return slopes;
  return slopes.map((slope, i) => {
    const mask = Float32Array.from({ length: slope.size }, (_, at) =>
      sparse?.[i]?.[at] === 0 || learnt?.[i]?.[at] === 0 ? 0 : 1,
    );
    return mask.includes(0) ? mul(step, slope, fromData(step, mask, slope.shape)) : slope;
  });
}

/** Examples of a part where the longest of an update has that length: of nothing else, so that a run that goes on has the same parts. */
function fitting(
  setup: UpdateSetup,
  prepared: Parameters<typeof recordUpdate>[2],
  {
    perUpdate,
    batchSize,
    memoryBytes,
    open,
  }: {
    readonly perUpdate: number;
    readonly batchSize: number;
    readonly memoryBytes: number;
    readonly open: () => Step;
  },
): (longest: number) => number {
  const known = new Map<number, number>();
  return (longest) => {
    const found = known.get(longest);
    if (found !== undefined) return found;
    const example = prepared.find(({ prompt }) => prompt.length === longest) as (typeof prepared)[number];
    const batch = Array.from({ length: perUpdate }, () => example);
    const { step, count } = recordWithin({
      what: 'Learning to steer',
      unit: 'example',
      memoryBytes,
      most: Math.min(batchSize, perUpdate),
      open,
      record: (step, atOnce) => recordUpdate(step, setup, batch, atOnce),
    });
    step.dispose();
    known.set(longest, count);
    return count;
  };
}
