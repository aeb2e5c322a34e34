// The reading of one weight diff in a few plain sentences.
import { numberText } from '../number-text.js';
import type { Summary } from '../summary.js';
import { decisionWords, quoted } from './decision-words.js';
import { reachSentence } from './adapter-reach.js';
import type { DitReadingAnswer, DitReadingRecord } from './reading-record.js';

/** Says what was answered with the diff and without it, and how far the adapter is right elsewhere; nothing that the record does not hold. */
export function summariseDitReading(record: DitReadingRecord): Summary {
  const { question, answers, adapter, verdict, diff } = record;
  const of = (who: DitReadingAnswer['who']): DitReadingAnswer | undefined =>
    answers.find((answer) => answer.who === who);
  const [changed, adapted, read] = [of('base+diff'), of('base+adapter'), of('base+diff+adapter')];
  const main = read ?? changed;
  return {
    headline: main
      ? `Asked ${quoted(question)}, ${read ? 'base + diff + adapter' : 'base + diff'} says ${quoted(main.text)}, with probability ${numberText(main.probability)}.`
      : `Asked ${quoted(question)}.`,
    sentences: [
      verdict
        ? `After calibration: ${decisionWords[verdict.decision].word}, with confidence ${numberText(verdict.confidence)}; “none” has ${numberText(verdict.none)}.`
        : '',
      read && adapted ? withoutDiff(read, adapted) : '',
      read && changed ? `Without the adapter, the changed model says ${quoted(changed.text)}.` : '',
      adapter === null ? 'No adapter was asked.' : '',
      adapter === null ? '' : reachSentence(adapter),
      diff.label === undefined
        ? ''
        : diff.label === null
          ? 'The diff was trained to change nothing that can be asked for.'
          : `The diff was trained to have ${quoted(diff.label)}.`,
    ].filter(Boolean),
  };
}

/** An answer that the adapter gives anyway says nothing of the diff. */
const withoutDiff = (read: DitReadingAnswer, adapted: DitReadingAnswer): string =>
  read.text.trim() === adapted.text.trim()
    ? `The adapter says the same without the diff (${numberText(adapted.probability)}), so that the answer does not come from the diff.`
    : `Without the diff, the adapter says ${quoted(adapted.text)} (${numberText(adapted.probability)}).`;
