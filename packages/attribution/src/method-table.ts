// The scorers of edges and what each has a use for: one table for the checks here and for whoever offers the methods to people.
import { LimnError } from '@limn/gpu';
import { nearest } from '@limn/hooks';
import type { IgRule } from './path.js';

/** Names of the methods, as graph files and the command line have them. */
export type MethodName =
  'eap' | 'eap-ig-inputs' | 'eap-ig-activations' | 'clean-corrupted' | 'information-flow' | 'exact';

/** Options that not every method has a use for. The others (`metric`, batch size, memory, signal, progress) are everyone's. */
export type MethodOption =
  'ablation' | 'edges' | 'perExample' | 'perPosition' | 'resamples' | 'rule' | 'steps' | 'variant';

/** A scorer, for whoever offers it. */
export interface MethodTraits {
  readonly uses: readonly MethodOption[];
  /** The rule of its path where none is asked for; absent where it has no path. */
  readonly rule?: IgRule;
  /** Whether its gradients score nodes and neurons as well. */
  readonly nodes: boolean;
}

const GRADIENTS = ['ablation', 'perExample', 'perPosition', 'resamples'] as const;
const PATH = ['steps', 'rule'] as const;

/** Every method by its name. Information-flow differentiates nothing: it takes a metric and does without. */
export const METHOD_TABLE: Readonly<Record<MethodName, MethodTraits>> = {
  eap: { uses: GRADIENTS, nodes: true },
  'eap-ig-inputs': { uses: [...GRADIENTS, ...PATH], rule: 'left', nodes: true },
  'eap-ig-activations': { uses: [...GRADIENTS, ...PATH, 'variant'], rule: 'right', nodes: true },
  'clean-corrupted': { uses: GRADIENTS, nodes: true },
  'information-flow': { uses: ['perExample', 'resamples'], nodes: false },
  exact: { uses: ['ablation', 'edges', 'perExample', 'resamples'], nodes: false },
};

/** All of them. */
export const METHODS = Object.keys(METHOD_TABLE) as readonly MethodName[];

const OPTIONS: readonly MethodOption[] = [...new Set(METHODS.flatMap((name) => METHOD_TABLE[name].uses))];

/** The options of `options` that the method has no use for, and that are asked for: not left out, undefined or false. */
function useless(method: MethodName, options: object): readonly MethodOption[] {
  const { uses } = METHOD_TABLE[method];
  const given = options as Readonly<Partial<Record<MethodOption, unknown>>>;
  return OPTIONS.filter((name) => !uses.includes(name) && given[name] !== undefined && given[name] !== false);
}

/**
 * Refuses a method that there is none of, and options that the method would ignore.
 * @throws LimnError `usage/unknown-method` with the nearest name, `usage/method-option`
 */
export function expectMethodOptions(method: MethodName, options: object): void {
  if (!METHODS.includes(method))
    throw new LimnError(
      'usage/unknown-method',
      `There is no method "${String(method)}"; there are ${METHODS.join(', ')}.`,
      {
        details: { given: method, allowed: METHODS },
        hint:
          String(method) === 'learned-masks'
            ? 'Masks are learnt by learnedMasks, with options of its own.'
            : `Did you mean "${nearest(String(method), METHODS)}"?`,
      },
    );
  const [option] = useless(method, options);
  if (option === undefined) return;
  const allowed = METHOD_TABLE[method].uses;
  const methods = METHODS.filter((name) => METHOD_TABLE[name].uses.includes(option));
  throw new LimnError(
    'usage/method-option',
    `The method ${method} has no use for ${option}; of such options it takes ${allowed.join(', ')}.`,
    {
      details: { method, option, given: (options as Record<string, unknown>)[option], allowed, methods },
      hint: `Leave ${option} out, or score by ${methods.join(', ')}.`,
    },
  );
}

/** `options` without those that the method has no use for: one set of options, many methods. */
export function onlyOptionsOf<Options extends object>(method: MethodName, options: Options): Options {
  const without: readonly string[] = useless(method, options);
  return Object.fromEntries(Object.entries(options).filter(([name]) => !without.includes(name))) as Options;
}
