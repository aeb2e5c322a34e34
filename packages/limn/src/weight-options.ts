// The options of commands that load a model: how its weights are kept, what they may take, and what is done to them first.
import { transformerLensProcessing, type LoadOptions, type WeightForm, type WeightProcessing } from '@limn/gpt2';
import type { Command } from 'commander';
import { bytesOption, nameOption } from './shared-options.js';

const TYPES = ['f32', 'f16'] as const;
const STEPS = Object.keys(transformerLensProcessing) as (keyof WeightProcessing)[];
const CHOICES = ['transformer-lens', ...STEPS] as const;

/** What the options become; each is absent unless it was given. */
export interface WeightOptions {
  readonly weights?: (typeof TYPES)[number];
  readonly processing?: WeightProcessing;
  /** Bytes of weights that the GPU may hold. */
  readonly memoryBudget?: number;
}

export function withWeightsOption(command: Command): Command {
  return command
    .option(
      '--weights <type>',
      `how matrices are kept: ${TYPES.join(' or ')} (default: f32)`,
      nameOption('--weights', 'type', TYPES),
    )
    .option(
      '--memory-budget <size>',
      'what the weights may take on the GPU, e.g. 2GiB; a model that needs more is refused before it is loaded (default: no bound)',
      bytesOption('--memory-budget'),
    );
}

export function withWeightOptions(command: Command): Command {
  return withWeightsOption(command).option(
    '--processing <names>',
    `what is done to the weights, separated by commas: ${STEPS.join(', ')}, or transformer-lens for all of them (default: nothing)`,
    processingOption,
  );
}

/** For `openModel`. */
export function weightForm({
  weights,
  processing,
  memoryBudget,
}: WeightOptions): WeightForm & Pick<LoadOptions, 'budgetBytes'> {
  return {
    ...(weights ? { weights } : {}),
    ...(processing ? { processing } : {}),
    ...(memoryBudget === undefined ? {} : { budgetBytes: memoryBudget }),
  };
}

function processingOption(text: string): WeightProcessing {
  const choose = nameOption('--processing', 'processing', CHOICES);
  const chosen = text.split(',').map((name) => choose(name.trim()));
  if (chosen.includes('transformer-lens')) return transformerLensProcessing;
  return Object.fromEntries(chosen.map((name) => [name, true]));
}
