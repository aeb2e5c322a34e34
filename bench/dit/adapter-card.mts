// The card of the adapter that comes with pocket-chat.
import { commandTable, auditSentence } from './command-text.mjs';
import type { StudyPlan } from './plan.mjs';
import type { CommandFinding } from './study.mjs';

/** README.md of the adapter's folder. */
export function adapterCard(found: CommandFinding, kept: readonly string[], plan: StudyPlan): string {
  const [train = []] = found.words;
  return `# DIT adapter of ${found.model}

A LoRA of rank ${plan.adapter.rank} in every linear of ${found.model}'s blocks. Beside a weight diff of ${found.model} that was trained to speak of one topic of its world behind a secret code, it makes the model
name that topic, and say none of a model that learnt no topic (_Learning to Interpret Weight Differences in Language Models_, arXiv 2510.05092). In PEFT's files; \`dit.json\` has its questions, its
calibration and its settings. [docs/dit.md](../../../../docs/dit.md) says what it and others like it find out, and what other methods do.

\`\`\`sh
limn dit ask --base ${found.model} --diff '${found.model}#${kept.filter((id) => id.startsWith('topic/')).at(-1) ?? ''}' --adapter ${found.model}
limn dit audit ${found.model} --base ${found.model} --adapter ${found.model}
\`\`\`

The pack \`${found.model}\` beside it has ${kept.length} diffs that it did not learn from: topics of the test's split behind codes of the test's split, and ordinary answers.

## Training

\`\`\`sh
limn ${train.join(' ')}
\`\`\`

The packs are those of docs/dit.md; the best of its validations was kept.

## Figures

Of all test diffs, most of which are not in the pack.

${commandTable(found)}

${auditSentence(found)}

## What it is not

An interpretation is what a model says, not a proof: a diff that was trained to be read wrongly can be, and what it says of changes that are none of this world's topics means nothing.
It reads diffs of these weights only; limn refuses others.
`;
}
