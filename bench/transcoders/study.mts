// The shape of what bench/transcoders.mts measures: fidelity and interpretability of every dictionary beside raw neurons, without what single features scored.
import type { DictionaryEvaluation, DictionaryFigures, InterpretabilityScores, SourceScores } from '@limn/transcoders';
import type { SharedSettings } from './specs.mjs';

/** How everything was trained. */
export interface TranscoderSettings extends SharedSettings {
  readonly updates: number;
  readonly rowsPerUpdate: number;
  readonly skip: number;
  /** Tokens that each dictionary saw. */
  readonly tokens: number;
  readonly sparsities: readonly number[];
  readonly seeds: readonly number[];
}

/** What the file holds. */
export interface TranscoderStudy {
  readonly study: 'limn.transcoders';
  readonly version: 1;
  readonly limn: string;
  readonly adapter: string;
  readonly model: { readonly name: string; readonly weightsSha256: string; readonly width: number };
  readonly settings: TranscoderSettings;
  /** Wall-clock time of each part. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly evaluation: Omit<DictionaryEvaluation, 'dictionaries'> & {
    readonly dictionaries: readonly Omit<DictionaryFigures, 'histogram'>[];
  };
  readonly interpretability: Omit<InterpretabilityScores, 'sources'> & {
    readonly sources: readonly (Omit<SourceScores, 'scores'> & { readonly live: number })[];
  };
}

/** Without the histograms and the scores of single features, which are most of it: the sets and their commands give them again. */
export function compactStudy(
  about: Omit<TranscoderStudy, 'evaluation' | 'interpretability'>,
  evaluation: DictionaryEvaluation,
  interpretability: InterpretabilityScores,
): TranscoderStudy {
  return {
    ...about,
    evaluation: {
      ...evaluation,
      dictionaries: evaluation.dictionaries.map((figures) => {
        const { histogram: _, ...others } = figures;
        return others;
      }),
    },
    interpretability: {
      ...interpretability,
      sources: interpretability.sources.map(({ scores, ...source }) => ({ ...source, live: scores.length })),
    },
  };
}
