/**
 * What we use of the protocol's SDK. It is a bundle of its own, `dist/mcp-sdk.cjs`, which only
 * `holdfast mcp` loads: it is as large as a third of all the rest.
 */
export {
  type CallToolResult,
  createMcpHandler,
  type ElicitRequestFormParams,
  type ElicitResult,
  hostHeaderValidationResponse,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  isInputRequiredResult,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  MissingRequiredClientCapabilityError,
  originValidationResponse,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type Tool,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
export { serveStdio } from '@modelcontextprotocol/server/stdio'
