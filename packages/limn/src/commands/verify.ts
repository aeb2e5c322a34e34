// `limn verify gpt2`: measures published figures on the model's own weights and says pass or fail of each; without weights or data, NOT VERIFIED.
import { LimnError } from '@limn/gpu';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { EXIT, exitCodeOf, isCoded } from '../exit-code.js';
import type { OpenModel } from '../model-source.js';
import { filePairs, type PairSets } from '../pairs-source.js';
import { describeFigures, verifyGpt2 } from '../published-gpt2.js';
import { nameOption, withSharedOptions, type SharedOptions } from '../shared-options.js';

const TARGETS = ['gpt2'] as const;

interface VerifyOptions extends SharedOptions {
  readonly model?: string;
  readonly data?: string;
}

export function addVerifyCommand(program: Command, context: CommandContext): void {
  withSharedOptions(program.command('verify'))
    .description('measure published figures on the weights themselves, and say pass or fail of each')
    .argument('<target>', `what to verify: ${TARGETS.join(', ')}`, nameOption('verify', 'target', TARGETS))
    .option('--model <name>', 'the weights: a Hugging Face folder of GPT-2 small')
    .option(
      '--data <file>',
      'the pairs of the published figures: greater_than_eap_ig.csv, 1,000 rows of clean,corrupted,label',
    )
    .action((_target: string, options: VerifyOptions) => verify(options, context));
}

async function verify({ model: name, data }: VerifyOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  if (name === undefined) throw notVerified('no weights were given', '--model DIR with the weights of GPT-2 small');
  if (data === undefined) throw notVerified('no pairs were given', '--data greater_than_eap_ig.csv');
  using device = await openDevice(context);
  using model = await orNotVerified(openGivenModel(device.gpu, name, {}, context));
  const { evaluation } = await orNotVerified(pairsFor(model, data));
  const figures = await verifyGpt2(model.hooked, evaluation, { signal, onProgress: console.progress });
  for (const line of describeFigures(figures)) console.say(line);
  const failed = figures.filter(({ pass }) => !pass);
  const result = {
    command: 'verify',
    target: TARGETS[0],
    model: model.name,
    weightsSha256: model.hooked.info.fingerprint,
    figures,
  };
  if (failed.length > 0)
    throw new LimnError('verify/failed', `${failed.length} of ${figures.length} figures differ from those published`, {
      details: { result },
      hint: 'they hold for GPT-2 small and all 1,000 rows of greater_than_eap_ig.csv; sha256 and counts above say what was measured',
    });
  console.result({ ok: true, ...result });
}

const pairsFor = ({ hooked, tokenizer }: OpenModel, file: string): Promise<PairSets> =>
  filePairs({ file, info: hooked.info, tokenizer, bos: true });

/** What is missing or broken says why nothing was verified; want of memory and Ctrl-C stay what they are. */
async function orNotVerified<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (cause) {
    if (exitCodeOf(cause) !== EXIT.data || !isCoded(cause)) throw cause;
    throw notVerified(`${cause.message} (${cause.code})`, cause.hint, cause);
  }
}

function notVerified(why: string, hint: string | undefined, cause?: unknown): LimnError {
  return new LimnError('data/not-verified', `NOT VERIFIED: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  });
}
