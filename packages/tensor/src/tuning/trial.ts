// A trial: one case of a decision that can be run with each of its candidates, so that they can be compared and timed.
import type { Capabilities, Gpu, Step } from '@limn/gpu';
import type { Tensor } from '../tensor.js';
import type { Decision } from './decision.js';
import { className, offerOf, type CaseClass } from './decision-rules.js';

/** A case on a device: its inputs are there until `dispose`. */
export interface OpenTrial<Plan> {
  /** Records one run and gives what it computes. */
  record(step: Step, plan: Plan): Tensor;
  /** Gives the inputs back. */
  dispose(): void;
}

/** How a decision's cases are run. */
export interface TrialRules<Case, Plan> {
  /** Floating-point operations of one run. */
  work(of: Case): number;
  /** Bytes of the largest tensor, and of all of them together. */
  bytes(of: Case): { readonly largest: number; readonly all: number };
  /** Largest |difference| between two right results on such a device, by rounding alone. */
  tolerance(of: Case, capabilities: Capabilities): number;
  /** Makes the inputs: random, and the same each time. */
  open(gpu: Gpu, of: Case): Promise<OpenTrial<Plan>>;
}

/** A case of a decision with its candidates by name. */
export interface Trial {
  /** The name of its decision. */
  readonly decision: string;
  /** The name of the choice that it decides. */
  readonly name: string;
  /** What cases have in common that go by this one. */
  readonly class: CaseClass;
  /** What can be chosen; the rule's first. */
  readonly candidates: readonly string[];
  /** Floating-point operations of one run. */
  readonly work: number;
  /** Of the largest tensor, and of all of them together. */
  readonly bytes: { readonly largest: number; readonly all: number };
  /** Largest |difference| between two right results. */
  readonly tolerance: number;
  /** Makes the inputs. */
  open(gpu: Gpu): Promise<OpenTrial<string>>;
}

/** A decision that can be measured. */
export interface TunableDecision {
  /** One word. */
  readonly name: string;
  /** What the device would choose among now; see `offerOf`. */
  offer(capabilities: Capabilities): string;
  /** One for every class that has a choice on this device, those that matter most first. */
  trials(capabilities: Capabilities): readonly Trial[];
  /** The choices of this device that are in force, by the names of classes. */
  inForce(gpu: Gpu): ReadonlyMap<string, string>;
}

/** Joins a decision with the way to run its cases. */
export function tunable<Case, Plan>(decision: Decision<Case, Plan>, rules: TrialRules<Case, Plan>): TunableDecision {
  const trialOf = (capabilities: Capabilities, of: Case): Trial => {
    const plans = new Map(decision.candidates(capabilities, of).map((plan) => [decision.nameOf(plan), plan]));
    return {
      decision: decision.name,
      name: className(decision.name, decision.classOf(of)),
      class: decision.classOf(of),
      candidates: [...plans.keys()],
      work: rules.work(of),
      bytes: rules.bytes(of),
      tolerance: rules.tolerance(of, capabilities),
      async open(gpu) {
        const { record, dispose } = await rules.open(gpu, of);
        return { record: (step, name) => record(step, plans.get(name) as Plan), dispose };
      },
    };
  };
  return {
    name: decision.name,
    offer: (capabilities) => offerOf(capabilities, decision),
    trials(capabilities) {
      const trials = decision.cases.map((of) => trialOf(capabilities, of));
      const first = new Map(trials.map((trial) => [trial.name, trial] as const).reverse());
      return trials.filter((trial) => first.get(trial.name) === trial && trial.candidates.length > 1);
    },
    inForce: (gpu) => decision.inForce(gpu),
  };
}
