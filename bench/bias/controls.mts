// What an edit does to text of other tasks: KL of the next token behind beginnings of documents, and the perplexity of whole documents.
import type { HookedModel } from '@limn/hooks';
import { offTaskFigures, offTaskPerplexity, type Steerer } from '@limn/steering';
import type { BiasPrompts } from './prompts.mjs';
import type { ControlFinding } from './study.mjs';

/** At strength 1, family by family. Values that are counted from the end of a prompt have no place in a text that goes on: no perplexity. */
export async function controlFindings(
  model: HookedModel,
  steerer: Steerer,
  controls: BiasPrompts['controls'],
  { everywhere }: { readonly everywhere: boolean },
): Promise<ControlFinding[]> {
  const found: ControlFinding[] = [];
  for (const { family, documents, beginnings } of controls) {
    const { prompts, meanKl, largestKl } = await offTaskFigures(model, beginnings, steerer, { strengths: [1] });
    const texts = everywhere ? await offTaskPerplexity(model, documents, steerer, { strengths: [1] }) : undefined;
    found.push({
      family,
      prompts,
      meanKl,
      largestKl,
      perplexity: texts
        ? { before: texts.untouched.perplexity, after: texts.strengths[0]?.perplexity as number }
        : null,
    });
  }
  return found;
}
