// Where the examples of `limn steer` come from: a task, in the words of the model, or a file; split by what they are about.
import { readFile } from 'node:fs/promises';
import { LimnError, sha256 } from '@limn/gpu';
import {
  parseExamples,
  splitByEntity,
  type EntitySplit,
  type ExampleTokenizer,
  type SteeringExample,
} from '@limn/steering';
import { biasExamples, steeringExamples } from '@limn/tasks';
import { textBiasExamples, textSteeringExamples } from '@limn/tasks/text';
import { encodeAt } from './known-text.js';
import { dealRetained } from './retained-examples.js';
import type { ModelTokenizer } from './model-source.js';
import { bosOf, encoderOf, speaksPocket, type TaskModel } from './task-source.js';

/** Which examples. */
export interface SteeringRequest {
  readonly task?: string | undefined;
  readonly data?: string | undefined;
  /** Of a task: how many prompts. */
  readonly examples: number;
  readonly seed: number;
  /** Of the task `gender`: also prompts in which the gender is given, whose answers are to stay. */
  readonly parity: boolean;
  /** A file of examples whose answers are to stay as well. */
  readonly retain?: string | undefined;
}

/** An example with its corrupted prompt, of as many tokens, where there is one: what activations are patched from, or into. */
export interface SourceExample extends SteeringExample {
  readonly corrupted?: readonly number[] | undefined;
}

/** Examples in three parts with nothing in common that they are about. */
export interface SteeringSets {
  readonly name: string;
  readonly split: EntitySplit<SourceExample>;
  /** What is to stay as it is; for the goal 'parity'. */
  readonly retained: readonly SteeringExample[];
  /** The same about other things: not learnt from. */
  readonly unseenRetained: readonly SteeringExample[];
  readonly bos: 'prepended' | 'none' | 'in the ids';
  /** sha256 over all examples, in their order. */
  readonly sha256: string;
  /** One prompt stands in every part: what is learnt is measured where it was learnt, and speaks of nothing else. */
  readonly alone?: boolean | undefined;
}

/** Counts of the parts, for files and for the terminal; of one prompt no part but the first. */
export function partsOf({ name, sha256, split, alone }: SteeringSets) {
  const { train, validation, test, mixed } = split;
  const others = (part: readonly SourceExample[]): number => (alone ? 0 : part.length);
  return { name, sha256, train: train.length, validation: others(validation), test: others(test), mixed };
}

/**
 * Examples of a task or a file, dealt to training, validation and test by entity.
 * @throws LimnError `usage/task-vocabulary`, `data/pairs-no-bos`, `data/steering-…` naming file and line, `data/steering-split`; TasksError `tasks/…`
 */
export async function steeringSets(request: SteeringRequest, model: TaskModel): Promise<SteeringSets> {
  const { task, data, seed, retain } = request;
  const found = task === undefined ? await fromFile(data as string, model) : fromTask(task, request, model);
  const own = retain === undefined ? [] : (await fromFile(retain, model)).examples;
  const { learnt, unseen } = dealRetained([...found.retained, ...own], seed);
  const all = [...found.examples, ...found.retained, ...own];
  return {
    name: task ?? (data as string),
    split: splitByEntity(found.examples, { seed }),
    retained: learnt,
    unseenRetained: unseen,
    bos: found.bos,
    sha256: await sha256Of(all),
  };
}

/** One prompt, which is learnt from and looked at. */
export async function aloneSets(
  example: SourceExample,
  { name, bos }: Pick<SteeringSets, 'name' | 'bos'>,
): Promise<SteeringSets> {
  const part = [example];
  return {
    name,
    split: { train: part, validation: part, test: part, mixed: 0 },
    retained: [],
    unseenRetained: [],
    bos,
    sha256: await sha256Of(part),
    alone: true,
  };
}

function sha256Of(examples: readonly SteeringExample[]): Promise<string> {
  return sha256(
    JSON.stringify(examples.map(({ prompt, correct, wrong, roles }) => [prompt, correct, wrong, roles ?? null])),
  );
}

/** Examples as they were found. */
export interface Found {
  readonly examples: readonly SourceExample[];
  readonly retained: readonly SteeringExample[];
  readonly bos: SteeringSets['bos'];
}

function fromTask(task: string, { examples: n, seed, parity, retain }: SteeringRequest, model: TaskModel): Found {
  const given = parity && task === 'gender';
  if (parity && !given && retain === undefined)
    throw new LimnError(
      'usage/steering-objective',
      `--objective parity: the task ${task} has no prompts whose answers are to stay`,
      {
        details: { task },
        hint: 'use --task gender, or give prompts whose answers are to stay with --retain FILE',
      },
    );
  return taskExamples(task, { n, seed, parity: given }, model);
}

/**
 * `n` examples of a task from all of its cells, in pocket's words where the model speaks them, else as English text.
 * @throws LimnError `usage/task-vocabulary`, `data/pairs-no-bos`; TasksError `tasks/…`
 */
export function taskExamples(
  task: string,
  { n, seed, parity = false }: { readonly n: number; readonly seed: number; readonly parity?: boolean },
  model: TaskModel,
): Found {
  const { info, tokenizer } = model;
  const options = { seed, n, split: 'all' } as const;
  if (speaksPocket(info, tokenizer)) {
    if (parity) return { ...biasExamples(options), bos: 'in the ids' };
    return { examples: steeringExamples(task, options), retained: [], bos: 'in the ids' };
  }
  if (tokenizer === undefined)
    throw new LimnError(
      'usage/task-vocabulary',
      `--task ${task}: this model has no tokenizer, and its vocabulary is not pocket's`,
      {
        details: { task, vocabulary: info.vocabulary },
        hint: 'use --model pocket, or give your own examples with --data examples.jsonl',
      },
    );
  const bosId = bosOf(`--task ${task}`, model);
  const text = { ...options, encode: encoderOf(tokenizer), bosId };
  const bos = bosId === undefined ? 'none' : 'prepended';
  if (parity) return { ...textBiasExamples(text), bos };
  return { examples: textSteeringExamples(task, text), retained: [], bos };
}

async function fromFile(file: string, { info, tokenizer, bos }: TaskModel): Promise<Found> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/steering-file', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give the path of a file with one JSON object a line: {"prompt": …, "correct": …, "wrong": …}',
    });
  }
  const examples = parseExamples(text, {
    model: info,
    file,
    bos,
    ...(tokenizer ? { tokenizer: exampleTokenizer(file, tokenizer) } : {}),
  });
  return { examples, retained: [], bos: bos ? 'prepended' : 'none' };
}

/** A tokenizer as examples are read with it; `where` opens its errors. */
export function exampleTokenizer(where: string, tokenizer: ModelTokenizer): ExampleTokenizer {
  return {
    encode: (words) => encodeAt(where, tokenizer, words, { prependBos: false }),
    decode: (ids) => tokenizer.decode(ids),
    bosId: tokenizer.bosId,
  };
}
