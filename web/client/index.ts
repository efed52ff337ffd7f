/** The tile client: a member of a room that draws the layout itself. `README.md` shows how it is used. */

export { TileClient } from './client';
export type { TileClientEvents, TileClientOptions, TileClientState } from './client';
export { CAMERA_ENCODINGS } from './media';
export type { CameraEncoding, VideoCodec } from './media';
export type { Member } from './members';
export type { CallStatistics, EncodingStatistics, SlotStatistics } from './statistics';
export { sentText } from './statistics';
export { RequestError } from './wire';
export type { AudioMode, AudioTile, Authorization, Layer, Layout, Rectangle, Tiles, VideoTile, WantedEncoding } from './wire';
