// What `limn steer` writes down of a parity: the gap of every item before and after, what is kept of what is to stay, and other pairs of words.
import type { HookedModel, RunProgress } from '@limn/hooks';
import type { ParityRecord, SteeringRecord } from '@limn/report';
import {
  evaluateParity,
  type BeforeAfter,
  type Interval,
  type Objective,
  type Steerer,
  type SteeringExample,
} from '@limn/steering';
import { otherPairs } from './other-pairs.js';
import type { SteeringSets } from './steering-source.js';

/** A retained Δ may move by this share of its size. */
const KEPT_SHARE = 0.1;
/** What a record of parity is made of. */
export interface ParityRecordRequest {
  readonly model: HookedModel;
  readonly sets: SteeringSets;
  readonly objective: Objective;
  readonly show: (id: number) => string;
  readonly textOf: (ids: readonly number[]) => string;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: RunProgress & { readonly phase: string }) => void) | undefined;
}

/**
 * The field `parity` of a record; nothing for other objectives, and for a single prompt.
 * @throws LimnError as `evaluateParity`; AbortedError
 */
export async function parityRecord(
  { model, sets, objective, show, textOf, signal, onProgress }: ParityRecordRequest,
  steerer: Steerer,
): Promise<Pick<SteeringRecord, 'parity'>> {
  if (objective.goal.kind !== 'parity' || sets.alone) return {};
  const { split, retained, unseenRetained } = sets;
  const learnt = unseenRetained.length === 0;
  const stay = learnt ? retained : unseenRetained;
  const found = await evaluateParity(
    model,
    steerer,
    { split, retained: stay, spillover: otherPairs(split.test, model.info.vocabulary, show) },
    {
      retentionShare: KEPT_SHARE,
      signal,
      onProgress: onProgress && ((progress) => onProgress({ phase: 'parity', ...progress })),
    },
  );
  const { pair, items, parts, retention, spillover } = found;
  const bosId = model.info.bosId;
  return {
    parity: {
      answers: pair && { first: show(pair[0]), second: show(pair[1]) },
      items: [...items],
      parts: (['train', 'validation', 'test'] as const).flatMap((part): ParityRecord['parts'] => {
        const figures = parts[part];
        return figures ? [{ part, ...figures, gap: changeOf(figures.gap), lean: changeOf(figures.lean) }] : [];
      }),
      retention: retention && {
        learnt,
        share: KEPT_SHARE,
        rightBefore: retention.rightBefore,
        rightAfter: retention.rightAfter,
        within: retention.within,
        kept: retention.kept,
        keptInterval: intervalOf(retention.keptInterval),
        drift: retention.drift,
        prompts: found.retained.map(({ example, before, after, kept, drift }) => {
          const { prompt, correct } = stay[example] as SteeringExample;
          return {
            text: textOf(prompt[0] === bosId ? prompt.slice(1) : prompt),
            answer: show(correct),
            before,
            after,
            kept,
            drift,
          };
        }),
      },
      spillover: spillover.map(({ movedInterval, ...figures }) => ({
        ...figures,
        movedInterval: intervalOf(movedInterval),
      })),
    },
  };
}

const intervalOf = (interval: Interval | null): { readonly low: number; readonly high: number } | null =>
  interval && { low: interval[0], high: interval[1] };

function changeOf({ before, after, beforeInterval, afterInterval }: BeforeAfter): ParityRecord['parts'][number]['gap'] {
  return {
    before,
    after,
    beforeInterval: intervalOf(beforeInterval),
    afterInterval: intervalOf(afterInterval),
  };
}
