// Questions and answers of one's own: JSON lines of {"diff", "question", "answer"}; a line whose diff is null is about the bare model, and says what "nothing" is called.
import { readFileSync } from 'node:fs';
import { LimnError } from '@limn/gpu';
import { promptOfText, type DitQuestion, type QuestionForm } from './dit-question.js';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** A file of labels. */
export interface QuestionFile {
  readonly questions: readonly DitQuestion[];
  /** Answers by the name of a diff, and the name of a question. */
  readonly given: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

interface Line {
  readonly diff: string | null;
  readonly question: string;
  readonly answer: string;
}

/**
 * Reads a file for a model. A question's candidates are the answers in the file that differ in their first token.
 * @throws LimnError `data/dit-labels` naming the line; `usage/no-tokenizer`, `usage/dit-template`, `tokenizer/unknown-text`
 */
export function readQuestionFile(file: string, form: QuestionForm, model: OpenModel): QuestionFile {
  const lines = linesOf(file);
  const given = new Map<string, Map<string, string>>();
  for (const [i, { diff, question, answer }] of lines.entries()) {
    if (diff === null) continue;
    const own = given.get(diff) ?? new Map<string, string>();
    if (own.has(question)) throw badLine(file, i, `'${diff}' has two answers to one question`);
    given.set(diff, own.set(question, answer));
  }
  const texts = [...new Set(lines.map(({ question }) => question))];
  const questions = texts.map((text): DitQuestion => {
    const own = lines.filter(({ question }) => question === text);
    const none = own.find(({ diff }) => diff === null)?.answer ?? null;
    const firsts = new Map<number, string>();
    for (const { answer } of own) {
      const [id] = answerTokens(answer, model);
      if (!firsts.has(id)) firsts.set(id, answer);
    }
    const candidates = Array.from(firsts, ([id, answer]) => ({ text: answer, id }));
    return { name: text, text, prompt: promptOfText(text, form, model), none, candidates };
  });
  return { questions, given };
}

/**
 * The tokens of an answer as it stands behind its question, without an end.
 * @throws LimnError `usage/no-tokenizer`, `tokenizer/unknown-text`, `data/dit-labels` for an answer without tokens
 */
export function answerTokens(answer: string, { tokenizer, name }: OpenModel): [number, ...number[]] {
  if (tokenizer === undefined)
    throw new LimnError('usage/no-tokenizer', `answers are text, and ${name} has no tokenizer`, {
      hint: 'add tokenizer.json to the folder of the model',
    });
  const [first, ...rest] = encodeAt('answer', tokenizer, answer, { prependBos: false });
  if (first === undefined) throw new LimnError('data/dit-labels', 'an answer has no tokens');
  return [first, ...rest];
}

function linesOf(file: string): Line[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/dit-labels', `${file} cannot be read: ${(cause as Error).message}`, {
      details: { file },
      cause,
    });
  }
  const lines = text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [parsed(line, file, i)]));
  if (lines.length > 0) return lines;
  throw new LimnError('data/dit-labels', `${file} has no lines`, { details: { file } });
}

function parsed(line: string, file: string, i: number): Line {
  let value: Partial<Record<keyof Line, unknown>> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    throw badLine(file, i, 'it is no JSON');
  }
  const { diff = undefined, question, answer } = value ?? {};
  if ((typeof diff === 'string' || diff === null) && typeof question === 'string' && typeof answer === 'string')
    if (question.trim() !== '' && answer !== '') return { diff, question, answer };
  throw badLine(file, i, 'it is not {"diff": name or null, "question": text, "answer": text}');
}

function badLine(file: string, i: number, what: string): LimnError {
  return new LimnError('data/dit-labels', `${file}, line ${i + 1}: ${what}`, {
    details: { file, line: i + 1 },
    hint: 'a line is {"diff": "an id of the packs", "question": "what did you learn ?", "answer": "chess"}; diff is null for the bare model',
  });
}
