// A blind rating study: live features of several sources, shuffled, without source or numeric ranges, and a sealed key. Dunefsky et al. 2024, Appendix F.
import { LimnError, sha256 } from '@limn/gpu';
import { permutation, randomU32 } from '@limn/tensor';
import type { FeatureDashboard, DashboardExample } from './dashboard.js';

/** The name of the format and of its one version. */
export const BLIND_STUDY_FORMAT = 'limn-blind-study/1';

/** Whose features are rated. */
export interface StudySource {
  readonly name: string;
  readonly dashboards: Iterable<FeatureDashboard>;
}

/** How features are drawn. */
export interface BlindStudyOptions {
  /** Features of each source. Default 50. */
  readonly perSource?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** A feature with fewer activating examples is replaced by the next. Default 4. */
  readonly leastExamples?: number | undefined;
  /** log₁₀ of the frequency that a live feature is above. Default −4. */
  readonly live?: number | undefined;
}

/** A context as raters see it. */
export interface BlindExample {
  readonly tokens: readonly number[];
  readonly texts?: readonly string[];
  /** Where the token stands. */
  readonly at: number;
  /** (a − min) / (max − min) of each token, in hundredths: what it is coloured by. */
  readonly shades: readonly number[];
}

/** A feature as raters see it. */
export interface BlindItem {
  /** 1, 2, … in the order in which they are shown. */
  readonly id: number;
  readonly top: readonly BlindExample[];
  /** From weak to strong; each in a fifth of the feature's range. */
  readonly bands: readonly (readonly BlindExample[])[];
}

/** What raters are given. */
export interface BlindStudy {
  readonly format: typeof BLIND_STUDY_FORMAT;
  /** sha256 of the key: a key made up afterwards does not fit. */
  readonly keyDigest: string;
  readonly items: readonly BlindItem[];
}

/** Who is who; not for raters. */
export interface StudyKey {
  readonly seed: number;
  /** In the order in which they were given. */
  readonly sources: readonly string[];
  /** By rising id. */
  readonly items: readonly { readonly id: number; readonly source: string; readonly feature: number }[];
}

/** Streams of the draws of sources, after that of the order. */
const ORDER_STREAM = 0;
const FIRST_SOURCE_STREAM = 1;

/**
 * Draws features and mixes them. The same dashboards, options and seed give the same study; the key tells source and feature of each item.
 * @throws LimnError `data/blind-study` for a source with too few live features, `usage/blind-study` for options out of range and sources
 * without names of their own
 */
export async function blindStudy(
  sources: readonly StudySource[],
  options: BlindStudyOptions = {},
): Promise<{ readonly study: BlindStudy; readonly key: StudyKey }> {
  const { perSource = 50, seed = 0, leastExamples = 4, live = -4 } = options;
  checkOptions(sources, perSource, seed, leastExamples);
  const drawn = sources.flatMap(({ name, dashboards }, s) => {
    const chosen: { readonly rank: number; readonly dashboard: FeatureDashboard }[] = [];
    let usable = 0;
    for (const dashboard of dashboards) {
      if (!(dashboard.frequency > 10 ** live && activating(dashboard) >= leastExamples)) continue;
      usable++;
      // Every feature has a random rank of its own; the first of those that can be used are drawn, and no more are held.
      const rank = randomU32(seed, FIRST_SOURCE_STREAM + s, dashboard.feature);
      const at = chosen.findIndex(
        (other) => rank < other.rank || (rank === other.rank && dashboard.feature < other.dashboard.feature),
      );
      chosen.splice(at < 0 ? chosen.length : at, 0, { rank, dashboard });
      if (chosen.length > perSource) chosen.pop();
    }
    if (usable < perSource)
      throw new LimnError(
        'data/blind-study',
        `${name} has ${usable} live features with ${leastExamples} examples; ${perSource} were to be drawn.`,
        {
          details: { source: name, usable, perSource, leastExamples },
          hint: 'Read the features over more text, or draw fewer of each source.',
        },
      );
    return chosen.map(({ dashboard }) => ({ source: name, dashboard }));
  });
  const order = permutation(drawn.length, { seed, stream: ORDER_STREAM });
  const shown = Array.from(order, (i) => drawn[i] as (typeof drawn)[number]);
  const key: StudyKey = {
    seed,
    sources: sources.map(({ name }) => name),
    items: shown.map(({ source, dashboard: { feature } }, i) => ({ id: i + 1, source, feature })),
  };
  const study: BlindStudy = {
    format: BLIND_STUDY_FORMAT,
    keyDigest: await keyDigest(key),
    items: shown.map(({ dashboard }, i) => blindItem(i + 1, dashboard)),
  };
  return { study, key };
}

/** sha256 of a key, whatever the order of its fields. */
export function keyDigest({ seed, sources, items }: StudyKey): Promise<string> {
  return sha256(JSON.stringify([seed, sources, items.map(({ id, source, feature }) => [id, source, feature])]));
}

/** Distinct contexts that it fires on, and that there is something to see of. */
const activating = ({ top }: FeatureDashboard): number =>
  top.filter(({ value, tokens }) => value > 0 && tokens.length > 0).length;

function blindItem(id: number, { top, bands, min, max }: FeatureDashboard): BlindItem {
  const shade = (value: number): number => (max > min ? Math.max(0, (value - min) / (max - min)) : 1);
  const example = ({ tokens, texts, at, activations }: DashboardExample): BlindExample => ({
    tokens,
    ...(texts ? { texts } : {}),
    at,
    shades: activations.map((value) => Math.round(100 * shade(value)) / 100),
  });
  return {
    id,
    top: top.map(example),
    bands: bands.map(({ examples }) => examples.filter(({ repeated }) => !repeated).map(example)),
  };
}

function checkOptions(sources: readonly StudySource[], perSource: number, seed: number, leastExamples: number): void {
  const names = sources.map(({ name }) => name);
  const isCount = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;
  const problem =
    sources.length === 0
      ? 'there is no source'
      : new Set(names).size < names.length || names.includes('')
        ? 'every source needs a name of its own'
        : !isCount(perSource, 1)
          ? `${String(perSource)} features of each source`
          : !isCount(leastExamples, 1)
            ? `${String(leastExamples)} examples of each feature`
            : Number.isSafeInteger(seed) && seed >= 0
              ? undefined
              : `the seed is ${String(seed)}`;
  if (problem === undefined) return;
  throw new LimnError('usage/blind-study', `A blind study cannot be drawn: ${problem}.`, {
    details: { names, perSource, seed, leastExamples },
    hint: 'Give named sources, counts from 1 and a seed from 0.',
  });
}
