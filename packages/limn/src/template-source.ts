// Pairs from a template file: clean prompts that are corrupted by refilling one slot with words of equally many tokens and another answer.
import type { Pair } from '@limn/attribution';
import { LimnError } from '@limn/gpu';
import { TasksError, corruptPrompts, type CorruptionTemplate } from '@limn/tasks/text';
import { readPairs } from './pairs-source.js';
import { bosOf, encoderOf, type TaskModel } from './task-source.js';

/** What a template file says. */
interface TemplateFile {
  readonly template: CorruptionTemplate;
  readonly prompts: readonly string[];
  readonly firstToken: boolean;
}

/**
 * Pairs of a template file for a model: `{"pattern": " {city}, the capital of", "slot": "city", "answers": {"Paris": " France", "Rome": [" Italy"]}}`, where
 * `answers` has the right answers of every filler; `prompts` are the clean prompts, by default the pattern with each filler; `"firstToken": true`
 * takes the first token of longer answers.
 * @throws LimnError `data/pairs-file`, `data/template` (what is wrong with the file, or why a prompt cannot be corrupted), `data/pairs-no-bos`,
 * `usage/no-tokenizer`
 */
export async function templatePairs(file: string, seed: number, model: TaskModel): Promise<readonly Pair[]> {
  const text = await readPairs(file);
  if (model.tokenizer === undefined)
    throw new LimnError(
      'usage/no-tokenizer',
      `--template ${file}: templates are text, and this model has no tokenizer`,
      {
        hint: 'add tokenizer.json to the folder, or give token ids with --data',
      },
    );
  const { template, prompts, firstToken } = parseTemplate(file, text);
  const bosId = bosOf(`--template ${file}`, model);
  try {
    return corruptPrompts(prompts, template, { encode: encoderOf(model.tokenizer), seed, bosId, firstToken });
  } catch (cause) {
    if (!(cause instanceof TasksError)) throw cause;
    throw fault(file, cause.message, cause.hint, cause);
  }
}

const FORM =
  'a template file is {"pattern": " {city}, the capital of", "slot": "city", "answers": {"Paris": " France", …}, "prompts": […]}';

function fault(file: string, what: string, hint = FORM, cause?: unknown): LimnError {
  return new LimnError('data/template', `${file}: ${what}`, { details: { file }, hint, cause });
}

function parseTemplate(file: string, text: string): TemplateFile {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw fault(file, `it is not JSON: ${(cause as Error).message}`, FORM, cause);
  }
  const { pattern, slot, answers, prompts, firstToken = false } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof pattern !== 'string' || typeof slot !== 'string')
    throw fault(file, 'it has no texts "pattern" and "slot"');
  if (typeof answers !== 'object' || answers === null || Array.isArray(answers))
    throw fault(file, 'its "answers" are not an object of fillers and their right answers');
  if (typeof firstToken !== 'boolean') throw fault(file, 'its "firstToken" is neither true nor false');
  const right = new Map(
    Object.entries(answers).map(([filler, value]) => {
      const list: unknown = Array.isArray(value) ? value : [value];
      if (isTexts(list) && list.length > 0) return [filler, list];
      throw fault(file, `the answers of ${JSON.stringify(filler)} are neither a text nor a list of texts`);
    }),
  );
  const fillers = [...right.keys()];
  if (prompts !== undefined && !isTexts(prompts)) throw fault(file, 'its "prompts" are not a list of texts');
  const given = prompts ?? fillers.map((filler) => pattern.replaceAll(`{${slot}}`, filler));
  if (given.length === 0) throw fault(file, 'it gives no prompt');
  const template: CorruptionTemplate = {
    pattern,
    slot,
    fillers,
    answers: (slots) => {
      const held = slots[slot] ?? '';
      const found = right.get(held);
      if (found !== undefined) return found;
      throw fault(file, `a prompt has ${JSON.stringify(held)} in {${slot}}, and "answers" does not know it`);
    },
  };
  return { template, prompts: given, firstToken };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((text) => typeof text === 'string');
