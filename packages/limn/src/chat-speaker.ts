// Whether a model talks in the words of the chat world.
import { LimnError } from '@limn/gpu';
import { CHAT_VOCABULARY } from '@limn/tasks/chat';
import type { OpenModel } from './model-source.js';

/**
 * Refuses a model of other words; a folder without a tokenizer is taken by the number of its words.
 * @throws LimnError `usage/chat-vocabulary`
 */
export function expectChatWords(option: string, { hooked, tokenizer, name }: OpenModel): void {
  const { vocabulary } = hooked.info;
  const speaks =
    vocabulary === CHAT_VOCABULARY.length &&
    (tokenizer === undefined || CHAT_VOCABULARY.every((word, id) => tokenizer.tokenText(id).trim() === word));
  if (speaks) return;
  throw new LimnError(
    'usage/chat-vocabulary',
    `${option}: ${name} does not have the ${CHAT_VOCABULARY.length} words of pocket-chat (it has ${vocabulary})`,
    {
      details: { vocabulary },
      hint: 'take --base pocket-chat or a folder of its vocabulary, or train on rows of your own with --data',
    },
  );
}
