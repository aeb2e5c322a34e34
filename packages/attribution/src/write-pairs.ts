// Pairs written as a file: the EAP-IG repository's CSV, or JSON lines, as text where the text gives back the ids.
import { LimnError } from '@limn/gpu';
import { csvField } from './csv.js';
import { yearIds } from './eap-ig-csv.js';
import type { Pair, PairTokenizer } from './pairs.js';

/**
 * Pairs as `clean,corrupted,label`, readable by `parsePairs` and, where labels are years, by the EAP-IG repository. A BOS in front is left
 * out, as readers put one there. A label is the year where the answers are the two-digit tokens above it and the others, else [[correct ids], [incorrect ids]].
 * @throws LimnError `data/pairs-csv-text` for a prompt whose text does not give back its ids
 */
export function pairsToCsv(pairs: readonly Pair[], tokenizer: PairTokenizer): string {
  const years = yearIds(tokenizer);
  const rows = pairs.map((pair, n) => {
    const [clean, corrupted] = [pair.clean, pair.corrupted].map((ids) => {
      const bare = startsWithBos(ids, tokenizer) ? ids.slice(1) : ids;
      const text = textOf(bare, tokenizer);
      if (text !== undefined) return text;
      throw new LimnError(
        'data/pairs-csv-text',
        `Pair ${n + 1} holds ids that their text, ${JSON.stringify(tokenizer.decode(bare))}, does not give back.`,
        { details: { pair: n + 1, ids: bare }, hint: 'Write JSON lines instead, which may hold ids.' },
      );
    }) as [string, string];
    const answers = [...pair.incorrect, ...pair.correct];
    const isYear = answers.length === 100 && answers.every((id, i) => id === years[i]);
    const label = isYear ? String(pair.incorrect.length - 1) : JSON.stringify([pair.correct, pair.incorrect]);
    return [clean, corrupted, label].map(csvField).join(',');
  });
  return ['clean,corrupted,label', ...rows, ''].join('\n');
}

/**
 * Pairs as JSON lines that `parsePairs` reads back as they are. With a tokenizer, prompts with a BOS in front are written as text without it, and answers
 * as text, wherever the text gives back the ids; all else stays ids.
 */
export function pairsToJsonLines(pairs: readonly Pair[], tokenizer?: PairTokenizer): string {
  const known = new Map<number, string | number>();
  const answer = (id: number): string | number => {
    const written = known.get(id) ?? textOf([id], tokenizer) ?? id;
    known.set(id, written);
    return written;
  };
  const prompts = ({ clean, corrupted }: Pair): readonly (string | readonly number[])[] =>
    [clean, corrupted].map((ids) => (startsWithBos(ids, tokenizer) ? (textOf(ids.slice(1), tokenizer) ?? ids) : ids));
  return pairs
    .map((pair) => {
      const [clean, corrupted] = prompts(pair);
      const row = { clean, corrupted, correct: pair.correct.map(answer), incorrect: pair.incorrect.map(answer) };
      return `${JSON.stringify(row)}\n`;
    })
    .join('');
}

const startsWithBos = (ids: readonly number[], tokenizer: PairTokenizer | undefined): boolean =>
  tokenizer?.bosId !== undefined && ids[0] === tokenizer.bosId;

/** The text of ids, where it gives them back. */
function textOf(ids: readonly number[], tokenizer: PairTokenizer | undefined): string | undefined {
  const text = tokenizer?.decode(ids);
  return text !== undefined && tokenizer?.encode(text).join() === ids.join() ? text : undefined;
}
