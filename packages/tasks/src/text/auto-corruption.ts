// Corrupted prompts from a template: one slot of a clean prompt is refilled with words of equally many tokens that change the answer.
import { TasksError } from '../errors.js';
import type { SpelledPair } from '../prompt-pair.js';
import { Random } from '../random.js';
import { shuffled } from './source.js';
import type { Encode } from './tokens.js';

/** What the slots of a prompt hold, by name. */
export type Slots = Readonly<Record<string, string>>;

/** How clean prompts are made, and what may be changed about them. */
export interface CorruptionTemplate {
  /** A text with slots, e.g. ` {city}, the capital of`; a slot that occurs twice holds the same words in both places. */
  readonly pattern: string;
  /** The slot that is refilled. */
  readonly slot: string;
  /** What it may be filled with. */
  readonly fillers: readonly string[];
  /** The right answers of a prompt whose slots hold this, with their leading space; for IOI the two people without the giver. */
  readonly answers: (slots: Slots) => readonly string[];
}

/** For which tokenizer, and which of several fillers. */
export interface CorruptionOptions {
  readonly encode: Encode;
  /** Which of several fillers a prompt gets; default 0. */
  readonly seed?: number | undefined;
  /** Put in front of both prompts; default: nothing is. */
  readonly bosId?: number | undefined;
  /** Answers may be several tokens, and their first token counts; default false. */
  readonly firstToken?: boolean | undefined;
}

/** A pair made from a prompt and a template: right answers of the clean prompt, and those of the corrupted one that are not among them. */
export interface CorruptedPrompt extends SpelledPair {
  /** What was put into the slot. */
  readonly filler: string;
}

/**
 * Corrupts every prompt by another filler of the template's slot: the prompts then have equally many tokens, end in the same token, and some right answer
 * of the corrupted prompt is wrong for the clean one. Of several fillers that fit, the seed picks one. Equal arguments give equal pairs on every machine.
 *
 * @throws TasksError `tasks/template` (the template cannot be used); `tasks/template-mismatch` (a prompt is not made by it); `tasks/answer` (an answer is
 * not one token, or there is none); `tasks/no-corruption` when no filler fits, with the number of those refused for each reason.
 */
export function corruptPrompts(
  prompts: readonly string[],
  template: CorruptionTemplate,
  options: CorruptionOptions,
): CorruptedPrompt[] {
  const expression = expressionOf(template);
  return prompts.map((prompt, n) => {
    const found = expression.exec(prompt);
    if (found?.groups === undefined)
      throw new TasksError(
        'tasks/template-mismatch',
        `Prompt ${n + 1}, ${JSON.stringify(prompt)}, is not made by the template ${JSON.stringify(template.pattern)}.`,
        { details: { prompt, pattern: template.pattern }, hint: 'Mind spaces and capitals, also at both ends.' },
      );
    return corruptPrompt(prompt, { ...found.groups }, n, template, options);
  });
}

function corruptPrompt(
  prompt: string,
  slots: Slots,
  n: number,
  template: CorruptionTemplate,
  { encode, seed = 0, bosId, firstToken = false }: CorruptionOptions,
): CorruptedPrompt {
  const front = bosId === undefined ? [] : [bosId];
  const clean = encode(prompt);
  const answersOf = (held: Slots): Map<number, string> =>
    new Map(template.answers(held).map((text) => [answerId(text, prompt, encode, firstToken), text]));
  const correct = answersOf(slots);
  if (correct.size === 0) throw badAnswer(prompt, 'has no right answer');
  const refused = { tokens: 0, 'last token': 0, answer: 0 };
  for (const filler of shuffled(template.fillers, new Random('corruption', seed, n))) {
    if (filler === slots[template.slot]) continue;
    const held = { ...slots, [template.slot]: filler };
    const corruptedText = fill(template.pattern, held);
    const corrupted = encode(corruptedText);
    if (corrupted.length !== clean.length) refused.tokens++;
    else if (corrupted.at(-1) !== clean.at(-1)) refused['last token']++;
    else {
      const incorrect = [...answersOf(held)].filter(([id]) => !correct.has(id));
      if (incorrect.length === 0) refused.answer++;
      else
        return {
          clean: [...front, ...clean],
          corrupted: [...front, ...corrupted],
          correct: [...correct.keys()],
          incorrect: incorrect.map(([id]) => id),
          cleanText: prompt,
          corruptedText,
          correctText: [...correct.values()],
          incorrectText: incorrect.map(([, text]) => text),
          filler,
        };
    }
  }
  throw new TasksError(
    'tasks/no-corruption',
    `Prompt ${n + 1}, ${JSON.stringify(prompt)}: no other filler of {${template.slot}} fits. Of ${template.fillers.length}, ${refused.tokens} give another number of tokens, ${refused['last token']} another last token, ${refused.answer} no other answer.`,
    {
      details: { prompt, slot: template.slot, refused },
      hint: `Add fillers that are as many tokens as ${JSON.stringify(slots[template.slot])} and change the answer.`,
    },
  );
}

function answerId(text: string, prompt: string, encode: Encode, firstToken: boolean): number {
  const [id, ...more] = encode(text);
  if (id !== undefined && (more.length === 0 || firstToken)) return id;
  throw badAnswer(
    prompt,
    `has the answer ${JSON.stringify(text)}, which is ${id === undefined ? 0 : 1 + more.length} tokens`,
  );
}

const badAnswer = (prompt: string, what: string): TasksError =>
  new TasksError('tasks/answer', `${JSON.stringify(prompt)} ${what}.`, {
    details: { prompt },
    hint: 'Answers are single tokens with their leading space, as in " Paris"; firstToken takes the first of several.',
  });

const SLOT = /\{([^{}]*)\}/g;

const fill = (pattern: string, slots: Slots): string => pattern.replace(SLOT, (_, name: string) => slots[name] ?? '');

/** The pattern as an expression with a group per slot; the second of two equal slots must repeat the first. */
function expressionOf({ pattern, slot, fillers }: CorruptionTemplate): RegExp {
  const names = [...pattern.matchAll(SLOT)].map(([, name = '']) => name);
  const fault = (what: string): TasksError =>
    new TasksError('tasks/template', `The template ${JSON.stringify(pattern)} ${what}.`, {
      details: { pattern, slot },
      hint: 'Slots are names in braces, such as {city}.',
    });
  const bad = names.find((name) => !/^[a-z]\w*$/i.test(name));
  if (bad !== undefined) throw fault(`has the slot {${bad}}; a slot's name is letters and digits`);
  if (!names.includes(slot))
    throw fault(`has no slot {${slot}}; it has ${names.map((name) => `{${name}}`).join(', ') || 'none'}`);
  if (fillers.length === 0) throw fault(`has nothing to fill {${slot}} with`);
  const literals = pattern.split(SLOT).filter((_, i) => i % 2 === 0);
  const source = literals
    .map((text, i) => {
      const name = names[i];
      const group = name === undefined ? '' : names.indexOf(name) === i ? `(?<${name}>.+?)` : `\\k<${name}>`;
      return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&') + group;
    })
    .join('');
  return new RegExp(`^${source}$`, 's');
}
