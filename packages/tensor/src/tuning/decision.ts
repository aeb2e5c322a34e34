// A decision as ops ask it: the plan that was measured to be best for the case's class on this device, else the built-in rule's.
import type { Gpu } from '@limn/gpu';
import { className, offerName, offerOf, type DecisionRules } from './decision-rules.js';

/** A decision between several plans of an op. */
export interface Decision<Case, Plan> extends DecisionRules<Case, Plan> {
  /** The plan for a case on this device: the one chosen for its class where it is on offer, else the rule's. */
  choose(gpu: Gpu, of: Case): Plan;
  /** The choices of this device that `choose` goes by, by the names of classes. */
  inForce(gpu: Gpu): ReadonlyMap<string, string>;
}

/**
 * Makes a decision of its rules. Choices that were taken among other candidates than there are now, by another rule, or for other cases
 * are not in force: they are of another version. Choices that do not say what was on offer are the caller's own, and are.
 */
export function defineDecision<Case, Plan>(rules: DecisionRules<Case, Plan>): Decision<Case, Plan> {
  const { name, classOf, rule, candidates, nameOf } = rules;
  const known = new WeakMap<Gpu, ReadonlyMap<string, string>>();
  const inForce = (gpu: Gpu): ReadonlyMap<string, string> => {
    let choices = known.get(gpu);
    if (choices) return choices;
    const offer = gpu.choices[offerName(name)];
    const own = Object.entries(gpu.choices).filter(([key]) => key.split(' ')[0] === name && key !== offerName(name));
    const stale = own.length > 0 && offer !== undefined && offer !== offerOf(gpu.capabilities, rules);
    known.set(gpu, (choices = new Map(stale ? [] : own)));
    return choices;
  };
  return Object.freeze({
    ...rules,
    inForce,
    choose(gpu: Gpu, of: Case): Plan {
      const choices = inForce(gpu);
      const choice = choices.size > 0 ? choices.get(className(name, classOf(of))) : undefined;
      const chosen = choice === undefined ? undefined : named(choice, candidates(gpu.capabilities, of), nameOf);
      return chosen ?? rule(gpu.capabilities, of);
    },
  });
}

/** The plan of that name, or of as many of its first words as name one: a case of the class may have fewer plans than the one measured. */
function named<Plan>(choice: string, plans: readonly Plan[], nameOf: (plan: Plan) => string): Plan | undefined {
  for (let words = choice.split(' '); words.length > 0; words = words.slice(0, -1)) {
    const found = plans.find((plan) => nameOf(plan) === words.join(' '));
    if (found !== undefined) return found;
  }
  return undefined;
}
