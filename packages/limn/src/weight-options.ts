// The options of commands that load a model: how its weights are kept, and what is done to them first.
import { transformerLensProcessing, type WeightForm, type WeightProcessing } from '@limn/gpt2';
import type { Command } from 'commander';
import { nameOption } from './shared-options.js';

const TYPES = ['f32', 'f16'] as const;
const STEPS = Object.keys(transformerLensProcessing) as (keyof WeightProcessing)[];
const CHOICES = ['transformer-lens', ...STEPS] as const;

/** What the options become; each is absent unless it was given. */
export interface WeightOptions {
  readonly weights?: (typeof TYPES)[number];
  readonly processing?: WeightProcessing;
}

export function withWeightsOption(command: Command): Command {
  return command.option(
    '--weights <type>',
    `how matrices are kept: ${TYPES.join(' or ')} (default: f32)`,
    nameOption('--weights', 'type', TYPES),
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
export function weightForm({ weights, processing }: WeightOptions): WeightForm {
  return { ...(weights ? { weights } : {}), ...(processing ? { processing } : {}) };
}

function processingOption(text: string): WeightProcessing {
  const choose = nameOption('--processing', 'processing', CHOICES);
  const chosen = text.split(',').map((name) => choose(name.trim()));
  if (chosen.includes('transformer-lens')) return transformerLensProcessing;
  return Object.fromEntries(chosen.map((name) => [name, true]));
}
