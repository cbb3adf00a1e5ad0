/** Options of a client. */
export interface ChannelsOptions {
  /** A token, or where to get one: asked again for every connection and before a token runs out. */
  token?: string | (() => string | Promise<string>);
  /** The client's name for itself; a random one by default. A second connection of the same name replaces the first. */
  clientId?: string;
  /** The longest first wait before connecting again; doubles each time. 500. */
  minDelayMs?: number;
  /** The longest wait. 30000. */
  maxDelayMs?: number;
  /** Attempts in a row before giving up. Infinity. */
  maxRetries?: number;
  /** Messages that may wait to be acknowledged; beyond it `send` rejects. 1000. */
  queueMax?: number;
  /** A message that is not acknowledged in this time is sent again under its own number. 10000. */
  ackTimeoutMs?: number;
  /** A silent server is asked after this time. 30000. */
  pingMs?: number;
  /** Then it has this long. 10000. */
  pongMs?: number;
  /** Where there is no global WebSocket, as in Node.js before 22. */
  WebSocket?: unknown;
}

/** A message of a channel. */
export interface ChannelMessage<T = unknown> {
  content: T;
  channel: string;
  client_id: string;
  user_id: string;
  metadata: {
    id: string;
    /** The channel's offset. */
    sequence: number;
    epoch: string;
    timestamp: string;
    /** The sender's own number, for the sender alone. */
    client_sequence?: number;
    key?: string;
    /** Part of a picture of now. */
    snapshot?: boolean;
  };
}

/** An acknowledgement. */
export interface Acknowledgement {
  channel: string;
  sequence: number;
  offset: number;
  epoch: string;
  duplicate: boolean;
}

/** What was joined. */
export interface Joined {
  client_id: string;
  user_id: string;
  channel: string | null;
  offset?: number;
  epoch?: string;
  recovered?: boolean;
}

/** A word about the connection, or of the operator's. */
export interface SystemMessage {
  message: string;
  severity: "info" | "warning" | "error";
  code?: string;
  channel?: string;
  [more: string]: unknown;
}

/** An error of the server or of this client. */
export class ChannelsError extends Error {
  readonly code: string;
  readonly details: Record<string, unknown>;
}

export interface ChannelsEvents {
  /** A connection is there. */
  open: (joined: Joined) => void;
  /** It is gone; a new one is tried unless "end" follows. */
  close: (why: { code: number; reason: string }) => void;
  /** A new one will be tried. */
  reconnecting: (next: { attempt: number; delay: number }) => void;
  /** No further connection is tried. */
  end: (error: ChannelsError) => void;
  join: (joined: Joined) => void;
  leave: (left: Joined) => void;
  message: (message: ChannelMessage) => void;
  broadcast: (said: SystemMessage) => void;
  status: (status: SystemMessage) => void;
  /** Messages between `since` and `offset` are lost: read the state anew. */
  gap: (gap: { channel: string; since?: number; offset: number }) => void;
  error: (error: ChannelsError) => void;
}

/** A connection to an Orrery server that comes back by itself. */
export class ChannelsClient {
  constructor(url: string | URL, options?: ChannelsOptions);
  readonly clientId: string;
  readonly state: "connecting" | "open" | "closed";
  on<E extends keyof ChannelsEvents>(event: E, listener: ChannelsEvents[E]): () => void;
  join<T = unknown>(
    channel: string,
    onMessage: (message: ChannelMessage<T>) => void,
    from?: { since?: number; epoch?: string },
  ): () => void;
  leave(channel: string): void;
  send(channel: string, content: unknown, options?: { key?: string }): Promise<Acknowledgement>;
  close(): void;
}
