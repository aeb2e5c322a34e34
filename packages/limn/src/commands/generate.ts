// `limn generate`: continues a prompt; the new text as it comes, or every token with its log-probability as JSON.
import { LimnError } from '@limn/gpu';
import { generateStream, type GeneratedToken } from '@limn/hooks';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { openDevice } from '../device.js';
import { openGivenModel } from '../given-model.js';
import { expectRoom, samplingOf, type SamplingOptions } from '../generation-request.js';
import { expectPrompt, promptBos, promptIds, type PromptOptions } from '../prompt-ids.js';
import { provenanceOf } from '../provenance.js';
import {
  integerOption,
  numberOption,
  partOption,
  tokenListOption,
  withSharedOptions,
  type SharedOptions,
} from '../shared-options.js';
import { withReplacement, type ReplacementOptions } from '../replaced-model.js';
import { withWeightOptions, type WeightOptions } from '../weight-options.js';
import { withLora, type LoraOptions } from './lora-option.js';

interface GenerateCommandOptions
  extends SharedOptions, WeightOptions, LoraOptions, ReplacementOptions, PromptOptions, SamplingOptions {
  readonly model: string;
  readonly maxNewTokens: number;
  readonly stop?: readonly string[];
  readonly top: number;
}

export function addGenerateCommand(program: Command, context: CommandContext): void {
  withReplacement(withLora(withWeightOptions(withSharedOptions(program.command('generate')))))
    .description('continue a prompt: print the new text as it comes')
    .requiredOption('--model <name>', 'a Hugging Face GPT-2 folder, an id of the hub such as `gpt2`, or `pocket`')
    .option('--tokens <ids>', 'token ids separated by commas', tokenListOption)
    .option('--prompt <text>', 'text; one BOS is put in front')
    .option('--no-bos', 'put no BOS in front of --prompt')
    .option('--max-new-tokens <n>', 'most tokens to add', integerOption('--max-new-tokens', 1), 32)
    .option(
      '--temperature <t>',
      'draw tokens, with the logits divided by this (default: the likeliest token)',
      numberOption(
        '--temperature',
        'leave --temperature out: then the likeliest token is taken, which is the limit at 0',
      ),
    )
    .option('--top-k <n>', 'draw among the likeliest n only', integerOption('--top-k', 1))
    .option(
      '--top-p <p>',
      'draw among the fewest tokens that hold this share of the probability',
      partOption('--top-p'),
    )
    .option('--seed <n>', 'draw with these random numbers (default: 0)', integerOption('--seed', 0))
    .option(
      '--repetition-penalty <x>',
      'above 1: make tokens that are there already less likely; below 1: likelier (default: 1)',
      numberOption('--repetition-penalty', 'for example --repetition-penalty 1.2; 1 changes nothing'),
    )
    .option(
      '--stop <text>',
      'end in front of this text; may be given several times',
      (text, all: readonly string[] = []) => [...all, text],
    )
    .option('--top <n>', 'with --json: the n likeliest tokens at every place too', integerOption('--top', 0), 0)
    .action((options: GenerateCommandOptions) => run(options, context));
}

async function run(options: GenerateCommandOptions, context: CommandContext): Promise<void> {
  const { console, signal } = context;
  expectPrompt(options);
  const sampling = samplingOf(options);
  using device = await openDevice(context);
  using model = await openGivenModel(device.gpu, options.model, options, context);
  const { tokenizer } = model;
  if (tokenizer === undefined && options.stop !== undefined) {
    throw new LimnError('usage/no-tokenizer', `--stop: ${model.name} has no tokenizer, so its tokens have no text`);
  }
  const prompt = promptIds(options, model);
  expectRoom(options.maxNewTokens, prompt.length, model.hooked.info.maxPositions);
  const request = {
    maxNewTokens: options.maxNewTokens,
    sampling,
    stopStrings: options.stop ?? [],
    topLogProbabilities: options.top,
  };
  const stream = generateStream(model.hooked, [prompt], {
    ...request,
    signal,
    ...(tokenizer ? { decode: (ids: readonly number[]) => tokenizer.decodeBytes(ids) } : {}),
  });
  const tokens: GeneratedToken[] = [];
  for await (const token of stream) {
    // Without a tokenizer the ids are the text.
    console.part(tokenizer ? (token.text ?? '') : `${tokens.length > 0 ? ',' : ''}${token.id}`);
    tokens.push(token);
  }
  console.say();
  console.result({
    ok: true,
    command: 'generate',
    prompt,
    tokens: tokens.map(({ id, logProbability, top }) => ({
      id,
      token: model.show(id),
      logProbability,
      ...(top === undefined ? {} : { top: top.map((each) => ({ ...each, token: model.show(each.id) })) }),
    })),
    ...(tokenizer ? { text: tokens.map(({ text = '' }) => text).join('') } : {}),
    end: tokens.at(-1)?.end ?? null,
    provenance: provenanceOf(device.gpu, model, context, {
      options: { ...request, sampling: { ...sampling }, tokens: [...prompt] },
      seed: sampling.kind === 'sample' ? sampling.seed : null,
      prompts: [prompt],
      prependBos: promptBos(options),
    }),
  });
}
