// The figures of the model card as Markdown.
import type { AblationFigures, PocketFigures, Requirement } from '@limn/pocket';
import { requirementRows, rows } from './tables.mjs';

export interface Card {
  readonly weightsSha256: string;
  readonly adapter: string;
  readonly limn: string;
  readonly figures: PocketFigures;
  readonly ablation: AblationFigures;
  readonly requirements: readonly Requirement[];
}

export function cardMarkdown({ weightsSha256, adapter, limn, figures, ablation, requirements }: Card): string {
  const { accuracy, ioiByRule, svaOpposed, greaterThanProbDiff, conflict, abc } = figures;
  return [
    `Measured on held-out cells only, by \`npm run card\` (limn ${limn}, ${adapter}; weights ${weightsSha256}).`,
    '',
    '### Against what was asked',
    '',
    ...requirementRows(requirements),
    '',
    '### In detail',
    '',
    ...rows(
      ['task', 'accuracy', 'prompts'],
      Object.entries(accuracy).map(([task, { value, prompts }]) => [task, value.toFixed(3), String(prompts)]),
    ),
    '',
    `- IOI by what is held out: new name pairs ${ioiByRule.pair.value.toFixed(3)}, new frames ${ioiByRule.frame.value.toFixed(3)}, new receivers ${ioiByRule.receiver.value.toFixed(3)}.`,
    `- Agreement where the attractor opposes the subject: ${svaOpposed.value.toFixed(3)} of ${svaOpposed.prompts}.`,
    `- Greater-than, mean probability of later minus not later: years ${greaterThanProbDiff['greater-than'].toFixed(3)}, prices ${greaterThanProbDiff['greater-than-price'].toFixed(3)}, sequences ${greaterThanProbDiff['greater-than-sequence'].toFixed(3)}.`,
    `- Without an answer (ABC prompts): mean |logit A − logit B| ${abc.gap.toFixed(3)}, p(A) + p(B) ${abc.mass.toFixed(3)}, ${abc.prompts} prompts.`,
    '',
    ...rows(
      ['capital in conflict', 'p(context)', 'p(memory)', 'all else'],
      Object.entries(conflict).map(([cue, { context, memory, rest }]) => [
        cue === 'none' ? 'no source named' : `${cue} source`,
        context.toFixed(3),
        memory.toFixed(3),
        rest.toFixed(3),
      ]),
    ),
    '',
    `Mean-ablation cost (nats of cross-entropy; the intact model has ${ablation.loss.toFixed(3)}):`,
    '',
    ...rows(
      ['layer', 'MLP', ...(ablation.heads[0] ?? []).map((_, head) => `head ${head}`)],
      ablation.mlp.map((cost, layer) => [
        String(layer),
        cost.toFixed(3),
        ...(ablation.heads[layer] ?? []).map((head) => head.toFixed(3)),
      ]),
    ),
    '',
  ].join('\n');
}
