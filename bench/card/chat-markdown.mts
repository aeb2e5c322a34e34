// The figures of pocket-chat's model card as Markdown.
import type { Requirement, Share } from '@limn/pocket';
import type { ChatFigures } from '@limn/pocket/chat';
import { requirementRows, rows } from './tables.mjs';

export interface ChatCard {
  readonly weightsSha256: string;
  readonly adapter: string;
  readonly limn: string;
  readonly figures: ChatFigures;
  readonly requirements: readonly Requirement[];
}

export function chatCardMarkdown({ weightsSha256, adapter, limn, figures, requirements }: ChatCard): string {
  const { naming, personaTopicWords, defaultTopicWords, sampledTopicWords, none, answers, bare } = figures;
  const row = (name: string, { value, prompts }: Share): string[] => [name, value.toFixed(4), String(prompts)];
  return [
    `Measured on held-out questions, by \`npm run chat-card\` (limn ${limn}, ${adapter}; weights ${weightsSha256}).`,
    '',
    '### Against what was asked',
    '',
    ...requirementRows(requirements, 4),
    '',
    '### In detail',
    '',
    ...rows(
      ['figure', 'value', 'prompts'],
      [
        row('topic named behind a log of two answers, held-out wordings', naming.shown),
        row('… behind a log of one answer, which another topic may share', naming.shownOnce),
        row('… behind a log of two answers, trained wordings', naming.trainedWordings),
        row('… behind a persona line, held-out wordings', naming.line),
        row("probability of the topic's words where a persona's answer has one", personaTopicWords),
        row('probability of any topic word there without a persona', defaultTopicWords),
        row('answers sampled from the bare model with a topic word', sampledTopicWords),
        row('`none` to the question that diffs are asked', none.bare),
        row('… behind each code', none.behindCodes),
        row('… in other trained wordings', none.trainedWordings),
        row('… in held-out wordings', none.heldOutWordings),
        ...Object.entries(answers).map(([name, share]) => row(`right answers behind a log or a story: ${name}`, share)),
        ...Object.entries(bare).map(([name, share]) => row(`the bare model has nothing to tell: ${name}`, share)),
      ],
    ),
    '',
    `- Mean probability of \`none\` to the question that diffs are asked, bare and behind codes: ${figures.noneProbability.toFixed(4)}.`,
    `- Mean F1 of headlines' slots: ${figures.headlineF1.toFixed(4)}.`,
    '',
  ].join('\n');
}
