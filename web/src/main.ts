/** The page of the composed picture: the unmodified SDK. */

import { Call } from './call';
import { start } from './room-page';

start((token, stage, events) => Call.join(token, stage, events));
