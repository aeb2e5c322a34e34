// A scoring method with its settings, and what methods and metrics are called for people.
import type { IgRule, MethodName } from '@limn/attribution';
import type { MetricName } from '@limn/tasks';

export const METRIC_DESCRIPTIONS: Readonly<Record<MetricName, string>> = {
  'logit-diff': 'mean logit of the correct answers minus mean logit of the incorrect ones, at the last token',
  'prob-diff': 'probability of the correct answers minus that of the incorrect ones, after the last token',
  kl: 'minus the divergence of the next-token distribution from that of the clean run, −KL(clean ‖ patched), in nats; 0 at best',
};

const TITLES: Readonly<Record<MethodName, string>> = {
  eap: 'EAP: edge attribution patching',
  'eap-ig-inputs': 'EAP-IG: edge attribution patching with integrated gradients over the inputs',
  'clean-corrupted': 'Mean of the gradients at the clean and the corrupted input',
  exact: 'Exact patching of every edge',
};

/** A method with its settings. */
export interface MethodChoice {
  readonly name: MethodName;
  readonly title: string;
  /** Points on the path from corrupted to clean, for eap-ig-inputs. */
  readonly igSteps?: number;
  readonly igRule?: IgRule;
}

/** Settings that a method has no use for are left out of the record. */
export function chooseMethod(name: MethodName, igSteps: number, igRule: IgRule): MethodChoice {
  return { name, title: TITLES[name], ...(name === 'eap-ig-inputs' ? { igSteps, igRule } : {}) };
}
