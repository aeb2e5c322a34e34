// A scoring method with its settings, and what methods and metrics are called for people.
import type { AblationName, IgRule, MethodName, Selector } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { MetricName } from '@limn/tasks';

export const METRIC_DESCRIPTIONS: Readonly<Record<MetricName, string>> = {
  'logit-diff': 'mean logit of the correct answers minus mean logit of the incorrect ones, at the last token',
  'prob-diff': 'probability of the correct answers minus that of the incorrect ones, after the last token',
  kl: 'minus the divergence of the next-token distribution from that of the clean run, −KL(clean ‖ patched), in nats; 0 at best',
};

const TITLES: Readonly<Record<MethodName, string>> = {
  eap: 'EAP: edge attribution patching',
  'eap-ig-inputs': 'EAP-IG: edge attribution patching with integrated gradients over the inputs',
  'eap-ig-activations': 'EAP-IG over activations: gradients integrated while each edge’s own source moves',
  'clean-corrupted': 'Mean of the gradients at the clean and the corrupted input',
  'information-flow': 'Information-flow routes: what each source brings to the stream that a node reads',
  exact: 'Exact patching of every edge',
};

/** Methods that integrate along a path, and the rule that their reference implementation has. */
const PATH_RULES: Partial<Readonly<Record<MethodName, IgRule>>> = {
  'eap-ig-inputs': 'left',
  'eap-ig-activations': 'right',
};

/** A method with its settings, and how circuits are chosen and ablated. */
export interface MethodChoice {
  readonly name: MethodName;
  readonly title: string;
  /** Points on the path of integrated gradients, for the methods that have one. */
  readonly igSteps?: number;
  readonly igRule?: IgRule;
  readonly selector: Selector;
  readonly ablation: AblationName;
}

/** What a user may say of a method; what is left out depends on the method. */
export interface MethodSettings {
  readonly igSteps?: number | undefined;
  readonly igRule?: IgRule | undefined;
  readonly selector?: Selector | undefined;
  readonly ablation?: AblationName | undefined;
}

/**
 * The method with every setting that it has a use for: 5 points where it has a path; greedy selection for information-flow, whose
 * scores cannot be compared across destinations, else top-n.
 * @throws LimnError `usage/selector`
 */
export function chooseMethod(name: MethodName, settings: MethodSettings): MethodChoice {
  const { igSteps = 5, igRule, selector, ablation = 'patch' } = settings;
  const rule = PATH_RULES[name];
  if (name === 'information-flow' && selector === 'top-n')
    throw new LimnError(
      'usage/selector',
      'the scores of information-flow sum to 1 at each destination, so that the best n of all of them mean nothing',
      { details: { method: name, selector }, hint: 'leave out --selector, or choose --selector greedy' },
    );
  return {
    name,
    title: TITLES[name],
    ...(rule === undefined ? {} : { igSteps, igRule: igRule ?? rule }),
    selector: selector ?? (name === 'information-flow' ? 'greedy' : 'top-n'),
    ablation,
  };
}
