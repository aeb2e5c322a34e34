// A scoring method with its settings, and what methods and metrics are called for people.
import {
  METHOD_TABLE,
  METHODS,
  type AblationName,
  type IgRule,
  type MethodName,
  type NodeMethodName,
  type Selector,
} from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import type { MetricName } from '@limn/tasks';

export const METRIC_DESCRIPTIONS: Readonly<Record<MetricName, string>> = {
  'logit-diff': 'mean logit of the correct answers minus mean logit of the incorrect ones, at the last token',
  'prob-diff': 'probability of the correct answers minus that of the incorrect ones, after the last token',
  kl: 'minus the divergence of the next-token distribution from that of the clean run, −KL(clean ‖ patched), in nats; 0 at best',
};

/** What a search can score by: the scorers of single passes, and masks that are learnt over many. */
export type CircuitMethod = MethodName | 'learned-masks';
/** All of them. */
export const CIRCUIT_METHODS: readonly CircuitMethod[] = [...METHODS, 'learned-masks'];

const TITLES: Readonly<Record<CircuitMethod, string>> = {
  eap: 'EAP: edge attribution patching',
  'eap-ig-inputs': 'EAP-IG: edge attribution patching with integrated gradients over the inputs',
  'eap-ig-activations': 'EAP-IG over activations: gradients integrated while each edge’s own source moves',
  'clean-corrupted': 'Mean of the gradients at the clean and the corrupted input',
  'information-flow': 'Information-flow routes: what each source brings to the stream that a node reads',
  exact: 'Exact patching of every edge',
  'learned-masks': 'Learned masks: a gate for every edge, closed by gradient where the loss does not need it',
};

const REFERENCE_TITLE =
  'EAP-IG over activations as the reference implementation has it: gradients averaged while any sublayer moves';

/** Methods that score nodes and neurons as well. */
const NODE_METHODS = METHODS.filter((name): name is NodeMethodName => METHOD_TABLE[name].nodes);

/** The method, where its gradients score nodes. @throws LimnError `usage/unit` */
export function nodeMethod(name: CircuitMethod): NodeMethodName {
  const found = NODE_METHODS.find((method) => method === name);
  if (found !== undefined) return found;
  throw new LimnError(
    'usage/unit',
    `${name} scores edges only; nodes and neurons are scored by ${NODE_METHODS.join(', ')}`,
    {
      details: { method: name, allowed: NODE_METHODS },
      hint: 'leave out --unit, or choose --method eap-ig-inputs',
    },
  );
}

/** Methods that integrate along a path. */
const PATH_METHODS = METHODS.filter((name) => METHOD_TABLE[name].rule !== undefined);

/** What EAP-IG over activations adds up: for every edge the gradients while its own source moves, or as the reference implementation does. */
export const IG_VARIANTS = ['per-source', 'reference'] as const;
/** One of them. */
export type IgVariant = (typeof IG_VARIANTS)[number];
const VARIED = 'eap-ig-activations';

/** How masks are learnt. */
export interface MaskSettings {
  /** Optimiser steps. */
  readonly updates: number;
  /** λ: loss units that the whole graph costs; larger gives smaller circuits. */
  readonly sparsity: number;
  /** AdamW's rate. */
  readonly rate: number;
  /** Pairs of each step; 8, or all, where it is left out. */
  readonly pairsPerUpdate?: number;
  /** Of the draws of gates and pairs. */
  readonly seed: number;
}

/** A method with its settings, and how circuits are chosen and ablated. */
export interface MethodChoice {
  readonly name: CircuitMethod;
  readonly title: string;
  /** Points on the path of integrated gradients, for the methods that have one. */
  readonly igSteps?: number;
  readonly igRule?: IgRule;
  /** For eap-ig-activations. */
  readonly igVariant?: IgVariant;
  /** For learned masks. */
  readonly masks?: MaskSettings;
  readonly selector: Selector;
  readonly ablation: AblationName;
  /** Of what is drawn at random for the method, or to judge it. */
  readonly seed: number;
}

/** What a user may say of a method; what is left out depends on the method. */
export interface MethodSettings {
  readonly igSteps?: number | undefined;
  readonly igRule?: IgRule | undefined;
  readonly igVariant?: IgVariant | undefined;
  readonly maskUpdates?: number | undefined;
  readonly maskSparsity?: number | undefined;
  readonly maskRate?: number | undefined;
  readonly maskPairs?: number | undefined;
  /** Of what a method, or a judgement of it, draws at random. */
  readonly seed?: number | undefined;
  readonly selector?: Selector | undefined;
  readonly ablation?: AblationName | undefined;
}

/** What each setting of one kind of method is called on the command line. */
const PATH_SETTINGS = { igSteps: '--ig-steps', igRule: '--ig-rule', igConvergence: '--ig-convergence' } as const;
const VARIANT_SETTINGS = { igVariant: '--ig-variant' } as const;
const MASK_SETTINGS = {
  maskUpdates: '--mask-updates',
  maskSparsity: '--mask-sparsity',
  maskRate: '--mask-rate',
  maskPairs: '--mask-pairs',
} as const;

/**
 * Refuses settings that a method has no use for.
 * @throws LimnError `usage/method-setting`
 */
export function expectSettingsOf(
  name: CircuitMethod,
  settings: MethodSettings & { readonly igConvergence?: boolean | undefined },
): void {
  const kinds = [
    { names: PATH_SETTINGS, of: PATH_METHODS as readonly string[], lacked: 'path of integrated gradients' },
    { names: VARIANT_SETTINGS, of: [VARIED], lacked: 'variants' },
    { names: MASK_SETTINGS, of: ['learned-masks'], lacked: 'masks to learn' },
  ];
  for (const { names, of, lacked } of kinds)
    for (const [setting, option] of Object.entries(names))
      if (settings[setting as keyof typeof settings] !== undefined && !of.includes(name))
        throw new LimnError('usage/method-setting', `${option} is for ${of.join(' and ')}; ${name} has no ${lacked}`, {
          details: { option, method: name, methods: of },
          hint: `leave out ${option}, or choose --method ${of[0] ?? ''}`,
        });
}

/**
 * The method with every setting that it has a use for: 5 points where it has a path, and each edge's own source moving along it; 200 updates at λ = 1 and a rate of .1 where masks are
 * learnt; greedy selection for information-flow, whose scores cannot be compared across destinations, else top-n.
 * @throws LimnError `usage/selector`
 */
export function chooseMethod(name: CircuitMethod, settings: MethodSettings): MethodChoice {
  const { igSteps = 5, igRule, igVariant = 'per-source', selector, ablation = 'patch', seed = 0 } = settings;
  const rule = name === 'learned-masks' ? undefined : METHOD_TABLE[name].rule;
  if (name === 'information-flow' && selector === 'top-n')
    throw new LimnError(
      'usage/selector',
      'the scores of information-flow sum to 1 at each destination, so that the best n of all of them mean nothing',
      { details: { method: name, selector }, hint: 'leave out --selector, or choose --selector greedy' },
    );
  return {
    name,
    title: name === VARIED && igVariant === 'reference' ? REFERENCE_TITLE : TITLES[name],
    ...(rule === undefined ? {} : { igSteps, igRule: igRule ?? rule }),
    ...(name === VARIED ? { igVariant } : {}),
    ...(name === 'learned-masks' ? { masks: maskSettings(settings) } : {}),
    selector: selector ?? (name === 'information-flow' ? 'greedy' : 'top-n'),
    ablation,
    seed,
  };
}

function maskSettings(settings: MethodSettings): MaskSettings {
  const { maskUpdates = 200, maskSparsity = 1, maskRate = 0.1, maskPairs, seed = 0 } = settings;
  return {
    updates: maskUpdates,
    sparsity: maskSparsity,
    rate: maskRate,
    ...(maskPairs === undefined ? {} : { pairsPerUpdate: maskPairs }),
    seed,
  };
}
