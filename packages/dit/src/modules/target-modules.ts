// Which linear maps an adapter is for, by the rules of PEFT's configs: suffixes of module names, one expression, or all of them; without some, in some layers.
import { MOST_PATTERN, NamePattern, PatternSteps } from './name-pattern.js';

/** A choice of modules, as PEFT's `target_modules` and what goes with it. */
export interface ModuleChoice {
  /**
   * Names, each of which is meant itself and as the end of a longer one behind a dot (`c_proj` is both `attn.c_proj` and `mlp.c_proj`); or one
   * expression in Python's syntax for the whole name; or 'all-linear'.
   */
  readonly targets: string | readonly string[];
  /** Left out even where `targets` has them: names or one expression. */
  readonly exclude?: string | readonly string[] | undefined;
  /** Only these layers, of `targets` that are a list. Default: all. */
  readonly layers?: readonly number[] | undefined;
  /** What the layers are called, such as 'h', as expressions; the number behind it is the layer. Default: the first number behind two names. */
  readonly layersPattern?: readonly string[] | undefined;
}

/** PEFT's word for every linear map; case does not matter. */
const ALL_LINEAR = 'all-linear';

/**
 * Says of a module whether a choice has it.
 * @throws LimnError `data/peft-pattern`, also where it is asked
 */
export function moduleChooser({
  targets,
  exclude = [],
  layers = [],
  layersPattern = [],
}: ModuleChoice): (name: string) => boolean {
  const steps = new PatternSteps();
  const targeted = typeof targets === 'string' ? expression(targets, steps) : suffixes(targets);
  const excluded = typeof exclude === 'string' ? expression(exclude, steps) : suffixes(exclude);
  const inLayers =
    typeof targets === 'string' || layers.length === 0 ? () => true : layerTest(layers, layersPattern, steps);
  return (name) => !excluded(name) && targeted(name) && inLayers(name);
}

/**
 * The value of the first pattern that a name ends in: ranks and alphas that differ from the others. A pattern is an expression that begins at
 * the name's start or behind a dot.
 * @throws LimnError `data/peft-pattern`, also where it is asked
 */
export function patternedValue(patterns: ReadonlyMap<string, number>): (name: string) => number | undefined {
  const steps = new PatternSteps();
  const known = Array.from(patterns, ([key, value]) => ({ matches: ending(key, steps), value }));
  return (name) => known.find(({ matches }) => matches(name))?.value;
}

/** An expression for the whole name, or 'all-linear': of names of linear maps, all. */
function expression(source: string, steps: PatternSteps): (name: string) => boolean {
  if (source === '') return () => false;
  if (source.toLowerCase() === ALL_LINEAR) return () => true;
  const pattern = new NamePattern(source, steps);
  return (name) => pattern.matches(name);
}

function suffixes(names: readonly string[]): (name: string) => boolean {
  return (name) => names.some((each) => name === each || name.endsWith(`.${each}`));
}

/** An expression for the end of a name, behind a dot or from its start. Names as they are, whose dots stand for any sign, need no walk. */
function ending(key: string, steps: PatternSteps): (name: string) => boolean {
  if (key.length <= MOST_PATTERN && /^\^?[\w.]+$/.test(key)) {
    const plain = new RegExp(`(?:^|\\.)(?:${key})$`);
    return (name) => plain.test(name);
  }
  const pattern = new NamePattern(`(?:.*\\.)?(?:${key})`, steps);
  return (name) => pattern.matches(name);
}

/** The layer is the first number between dots whose front a pattern matches. */
function layerTest(
  layers: readonly number[],
  patterns: readonly string[],
  steps: PatternSteps,
): (name: string) => boolean {
  const fronts =
    patterns.length === 0
      ? [(front: string) => front.includes('.')]
      : patterns.map((pattern) => ending(pattern, steps));
  return (name) => {
    const parts = name.split('.');
    for (const isFront of fronts) {
      const at = parts.findIndex(
        (part, i) => i > 0 && i < parts.length - 1 && /^\d{1,9}$/.test(part) && isFront(parts.slice(0, i).join('.')),
      );
      if (at > 0) return layers.includes(Number(parts[at]));
    }
    return false;
  };
}
