// Which setting of a sweep to take: by a target for L0, or for what is recovered of the loss.
import type { DictionaryFigures } from '@limn/transcoders';
import type { MeasuredSetting } from './dictionary-record.js';

/** At most one of the two. */
export interface SweepTarget {
  readonly l0?: number;
  readonly recovered?: number;
}

/** The setting, and the rule in a sentence. */
export interface Recommendation {
  readonly name: string;
  readonly rule: string;
  /** Whether the target is met. */
  readonly met: boolean;
}

/** What is recovered of the loss, unless the caller says otherwise. */
const AIM = 0.95;
/** Nats of mean-ablation from which the loss recovered says something; below, the KL divergence recovered stands in. */
const WORTH = 0.2;

/** The recommendation among settings of the first one's kind, each judged by its worst layer. */
export function recommend(settings: readonly MeasuredSetting[], target: SweepTarget): Recommendation {
  const [first] = settings;
  const own = settings.filter(({ kind }) => kind === first?.kind);
  const asked = own.length < settings.length ? `of kind ${first?.kind}: ` : '';
  const judged = own.map((setting) => ({ setting, l0: meanL0(setting), recovered: worstRecovered(setting) }));
  const measure = `the share of the loss recovered in the worst layer (of the KL divergence where mean-ablation costs less than ${WORTH} nats)`;
  const choose = (
    among: typeof judged,
    better: (a: (typeof judged)[number], b: (typeof judged)[number]) => number,
    rule: string,
    met: boolean,
  ): Recommendation => {
    const [best] = [...among].sort(better);
    const { setting, l0, recovered } = best as (typeof judged)[number];
    return {
      name: setting.name,
      met,
      rule: `${asked}${rule}: ${setting.name}, with a mean L0 of ${l0.toFixed(1)} and ${recovered.toFixed(3)}`,
    };
  };
  if (target.l0 !== undefined) {
    const { l0: most } = target;
    const within = judged.filter(({ l0 }) => l0 <= most);
    return within.length > 0
      ? choose(
          within,
          (a, b) => b.recovered - a.recovered || a.l0 - b.l0,
          `of the settings with a mean L0 of at most ${most}, the one with the largest ${measure.slice(4)}`,
          true,
        )
      : choose(
          judged,
          (a, b) => a.l0 - b.l0,
          `no setting has a mean L0 of at most ${most}; this is the sparsest`,
          false,
        );
  }
  const { recovered: least = AIM } = target;
  const enough = judged.filter(({ recovered }) => recovered >= least);
  return enough.length > 0
    ? choose(
        enough,
        (a, b) => a.l0 - b.l0 || b.recovered - a.recovered,
        `the sparsest setting in which ${measure} is at least ${least}`,
        true,
      )
    : choose(
        judged,
        (a, b) => b.recovered - a.recovered || a.l0 - b.l0,
        `in no setting ${measure} is at least ${least}; this comes closest`,
        false,
      );
}

const meanL0 = ({ measured }: MeasuredSetting): number => {
  const { dictionaries } = measured.own.figures;
  return dictionaries.reduce((sum, { l0 }) => sum + l0, 0) / dictionaries.length;
};

function worstRecovered({ measured }: MeasuredSetting): number {
  const { dictionaries, layers } = measured.own.figures;
  const costOf = (layer: number): number => layers.find((each) => each.layers[0] === layer)?.cost ?? 0;
  const of = ({ layer, recovered }: DictionaryFigures): number =>
    costOf(layer) >= WORTH ? recovered.mean.loss : recovered.mean.divergence;
  return Math.min(...dictionaries.map(of));
}
