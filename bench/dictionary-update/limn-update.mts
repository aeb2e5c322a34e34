// limn's side of an update: what `trainDictionaries` records of each, one step recorded while the one before runs. Runs in Node and in browsers.
import type { Gpu, PlanReport, Step } from '@limn/gpu';
import { adamw, concat, persistent, readFloats, type Tensor } from '@limn/tensor';
import { Dictionary, DictionaryTrainingState, recordDictionaryStep, trainedNames } from '@limn/transcoders';
import type { Contender } from '../harness/contender.mjs';
import { timedBy } from '../harness/limn-contender.mjs';
import type { DictionaryUpdateSpec } from './spec.mjs';

/** An update under way; `result` makes another one and gives its loss, FVU and L0. */
export interface LimnUpdate extends Contender {
  /** Of the last run. */
  plan(): PlanReport | undefined;
}

/** Weights, moments, counters and rows on the GPU, ready for the first update. */
export function limnUpdate(gpu: Gpu, spec: DictionaryUpdateSpec): LimnUpdate {
  const { config, loss, rate, deadAfter, sinceFired, sizes, wEnc, bEnc, wDec, bDec } = spec;
  const { tokens, width } = sizes;
  const x = persistent(gpu, [tokens, width], spec.x, { label: 'x' });
  const y = persistent(gpu, [tokens, width], spec.y, { label: 'y' });
  const dictionary = Dictionary.create(gpu, config, { wEnc, bEnc, wDec, bDec });
  const names = trainedNames(config);
  const params = names.map((name) => ({ name, tensor: dictionary.parameters.get(name) as Tensor }));
  const optimiser = adamw(gpu, [{ name: 'weights', params, rate }]);
  const state = DictionaryTrainingState.create(gpu, config, { rows: deadAfter, sinceFired });
  let plan: PlanReport | undefined;
  /** Gives loss, FVU and L0, [3]. */
  const record = (step: Step): Tensor => {
    const settings = { loss, unitDecoder: true, deadAfter };
    const recorded = recordDictionaryStep(step, dictionary, { x, y }, settings, state);
    optimiser.step(
      step,
      names.map((name) => recorded.gradients.get(name)),
    );
    return concat(step, [recorded.loss, recorded.fvu, recorded.l0], 0);
  };
  const open = (): Step => gpu.step({ label: 'dictionary update' });
  return {
    name: 'limn',
    ...timedBy(gpu, async (count) => {
      let running = Promise.resolve();
      for (let i = 0; i < count; i++) {
        const step = open();
        record(step);
        plan = step.plan();
        const before = running;
        running = step.submit();
        await before;
      }
      await running;
    }),
    async result() {
      using step = open();
      return readFloats(step, record(step));
    },
    plan: () => plan,
    dispose: () => [x, y, dictionary, optimiser, state].forEach((each) => each.dispose()),
  };
}
