// What an adapter reaches on diffs whose truth is known: exact answers, ranks among the candidates, grades, and alarms about models of which there is nothing to tell.
import { clusteredMean, clusteredShare, rankOf, type CandidateRank, type MeanFigure } from '@limn/dit';
import type { DitTable } from '@limn/report';
import { chatWorld, gradeTopic, NEWS_SLOTS, slotF1, slotsOf, type ChatWorld, type NewsEvent } from '@limn/tasks/chat';
import type { DiffAnswer } from './asked-diffs.js';
import type { AskedQuestion, ReachedFigure } from './dit-adapter-record.js';
import { isNegativeKind, type LabelledDiff } from './labelled-diffs.js';

/** One diff that was asked one question. */
export interface MeasuredAnswer {
  readonly diff: string;
  readonly kind: string;
  readonly question: string;
  readonly label: string;
  readonly said: string;
  /** The whole greedy answer is the label, its end included. */
  readonly exact: boolean;
  /** Of the label's first token among the candidates; null where it is none of them. */
  readonly rank: CandidateRank | null;
  /** 1 to 5 of topics, as the world has them; null of others. */
  readonly grade: number | null;
  /** F1 of a headline's slots; null of others. */
  readonly slots: number | null;
  readonly answer: DiffAnswer;
}

/** Figures of some answers, each with its 95 % interval over diffs; null where none of them has such a value. */
export interface AnswerFigures {
  readonly question: string;
  /** 'all' that there is something to tell of, one kind of them, or 'nothing to tell'. */
  readonly kind: string;
  readonly diffs: number;
  readonly exact: MeanFigure;
  readonly top1: MeanFigure | null;
  readonly top5: MeanFigure | null;
  readonly mrr: MeanFigure | null;
  readonly grade: MeanFigure | null;
  readonly slots: MeanFigure | null;
  /** Share above the threshold, where “none” still leads as well: what the threshold keeps to its share. null without a calibration. */
  readonly alarms: MeanFigure | null;
}

/** An answer held against its label. */
export function measuredAnswer(
  { name, kind }: LabelledDiff,
  question: AskedQuestion,
  label: string,
  firstOfLabel: number,
  answer: DiffAnswer,
  world: ChatWorld = chatWorld(),
): MeasuredAnswer {
  const place = question.candidates.findIndex(({ id }) => id === firstOfLabel);
  const isTopic = question.name === 'topic' && kind === 'topic' && world.byName.has(label);
  const event = question.name === 'news' && kind === 'news' ? eventOf(label) : undefined;
  return {
    diff: name,
    kind,
    question: question.name,
    label,
    said: answer.text,
    exact: answer.ended && answer.text.trim() === label.trim(),
    rank: answer.among && place >= 0 ? rankOf(answer.among.scores, place) : null,
    grade: isTopic ? gradeTopic(answer.text, label, world) : null,
    slots: event ? slotF1(answer.text, event).f1 : null,
    answer,
  };
}

/** The event that a headline tells whole. */
function eventOf(headline: string): NewsEvent | undefined {
  const slots = slotsOf(headline);
  return NEWS_SLOTS.every((slot) => slots[slot] !== undefined) ? (slots as NewsEvent) : undefined;
}

/** Figures of every question: of all diffs that there is something to tell of, by kind where there are several, and of those that there is not. */
export function answerFigures(answers: readonly MeasuredAnswer[], seed: number): AnswerFigures[] {
  return [...new Set(answers.map(({ question }) => question))].flatMap((question) => {
    const own = answers.filter((answer) => answer.question === question);
    const telling = own.filter(({ kind }) => !isNegativeKind(kind));
    const kinds = [...new Set(telling.map(({ kind }) => kind))].sort();
    return [
      ...groupFigures(question, 'all', telling, seed),
      ...(kinds.length < 2
        ? []
        : kinds.flatMap((kind) =>
            groupFigures(
              question,
              kind,
              telling.filter((each) => each.kind === kind),
              seed,
            ),
          )),
      ...groupFigures(
        question,
        'nothing to tell',
        own.filter(({ kind }) => isNegativeKind(kind)),
        seed,
      ),
    ];
  });
}

function groupFigures(
  question: string,
  kind: string,
  answers: readonly MeasuredAnswer[],
  seed: number,
): AnswerFigures[] {
  if (answers.length === 0) return [];
  const over = (
    of: (answer: MeasuredAnswer) => number | null | undefined,
    meanOf = clusteredShare,
  ): MeanFigure | null => {
    const found = answers.flatMap((answer) => {
      const value = of(answer);
      return value === null || value === undefined ? [] : [{ value, diff: answer.diff }];
    });
    if (found.length === 0) return null;
    return meanOf(
      found.map(({ value }) => value),
      { clusters: found.map(({ diff }) => diff), seed },
    );
  };
  return [
    {
      question,
      kind,
      diffs: answers.length,
      exact: over(({ exact }) => Number(exact)) as MeanFigure,
      top1: over(({ rank }) => rank?.top1),
      top5: over(({ rank }) => rank?.top5),
      mrr: over(({ rank }) => rank?.reciprocal),
      grade: over(({ grade }) => grade, clusteredMean),
      slots: over(({ slots }) => slots),
      alarms: over(({ answer: { among } }) => (among?.above === undefined ? null : Number(among.above))),
    },
  ];
}

const WORDS = {
  exact: 'exact answer',
  top1: 'first of the candidates',
  top5: 'among the first five',
  mrr: 'mean reciprocal rank',
  alarms: 'something said of models that nothing changed',
} as const;

/**
 * The figures that stand wherever the adapter answers: exact, ranks, and false alarms, of each question; those of one diff have no interval and are left out.
 * @param kinds without 'nothing to tell' for diffs that the threshold was fitted on: their alarms are what it was set by
 */
export function reachedFigures(
  figures: readonly AnswerFigures[],
  kinds: readonly ('all' | 'nothing to tell')[],
): ReachedFigure[] {
  return figures.flatMap(({ question, kind, ...own }) => {
    const shown = kinds.some((each) => each === kind)
      ? kind === 'all'
        ? (['exact', 'top1', 'top5', 'mrr'] as const)
        : (['alarms'] as const)
      : [];
    return shown.flatMap((name): ReachedFigure[] => {
      const figure = own[name];
      if (!figure?.interval) return [];
      const what = `${question}: ${WORDS[name]}`;
      return [{ what, value: figure.mean, interval: figure.interval, count: figure.clusters }];
    });
  });
}

/** Figures as a table: means, with the ends of the interval of exact answers. */
export function figuresTable(title: string, figures: readonly AnswerFigures[]): DitTable {
  return {
    title,
    columns: [
      'question',
      'diffs of',
      'diffs',
      'exact',
      'from',
      'to',
      'top 1',
      'top 5',
      'MRR',
      'grade',
      'slot F1',
      'alarms',
    ],
    rows: figures.map(({ question, kind, diffs, exact, top1, top5, mrr, grade, slots, alarms }) => [
      question,
      kind,
      diffs,
      exact.mean,
      exact.interval?.[0] ?? null,
      exact.interval?.[1] ?? null,
      ...[top1, top5, mrr, grade, slots, alarms].map((figure) => figure?.mean ?? null),
    ]),
    note: 'Means over diffs; from and to are the ends of the 95 % interval of exact answers, drawn over diffs. Ranks are of the first token, among the answers that there are.',
  };
}
