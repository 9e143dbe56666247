// Package hostile lists input that has broken servers of this kind before, with the tests that send it to this one.
package hostile

// Input is one kind of input, and the tests and fuzz targets that send it.
type Input struct {
	About string
	Tests []string
}

// Inputs returns all of them; they are the package's.
func Inputs() []Input { return inputs }

var inputs = []Input{
	// Frames and messages.
	{"a length of 64 bits whose top bit is set, and lengths near 2^63", []string{"TestRefusesWhatIsWrongAtOnce", "FuzzServerDecoder"}},
	{"fragments that are too much together, without an end", []string{"TestRefusesWhatIsWrongAtOnce", "TestWebSocket"}},
	{"lengths whose bodies never come, on many connections", []string{"TestAllocatesByWhatArrivedOnly", "TestEndsASilentConnection", "TestHalfMessagesAreBoundedTogether", "TestHalfMessagesOfAllConnectionsHaveOneBound"}},
	{"more fragments than anybody needs", []string{"TestLimitsFragments", "TestWebSocket"}},
	{"bytes one at a time", []string{"TestReadsTheSameHoweverTheInputIsCut", "TestReadsBrokenInputTheSameHoweverItIsCut"}},
	{"no limit by default", []string{"TestDefaultsHaveLimits", "TestTheDefaultsAreThoseOfTheServer"}},
	{"frames that are not masked, reserved bits and opcodes, wrong control frames, stray continuations", []string{"TestRefusesWhatIsWrongAtOnce", "TestWebSocket"}},
	{"the compressed bit on continuations and control frames", []string{"TestRefusesTheCompressedBitWhereItMayNotBe"}},
	{"text and close reasons that are not UTF-8, also split", []string{"TestRefusesWhatIsWrongAtOnce", "TestWebSocket"}},
	{"close codes that nobody may send, a close of one byte", []string{"TestKnowsWhichCloseCodesMayBeSent", "TestNeverSendsAnInvalidCloseCode", "TestWebSocket"}},
	{"frames after a close", []string{"TestIgnoresEverythingAfterAClose", "TestIgnoresEverythingAfterAnError"}},
	{"a close that is never answered, a peer that goes without a close", []string{"TestTwinLingers", "TestFinishSendsTheLastBytesAndTheEnd", "TestResetEndsAPausedConnection", "F19"}},
	{"floods of pings and pongs", []string{"TestFloodsEndTheConnection", "TestControlFramesEndAConnectionThatHasTooMany", "TestGatheredRepliesAreBounded"}},
	{"pongs that nobody asked for, or twice", []string{"TestPongsThatNobodyAskedForAreIgnored"}},
	{"a client that does not read", []string{"TestSlowClientIsToldOfItsGapAndDelaysNobody", "TestASlowReaderIsKeptAndOneThatIsStuckIsNot", "TestKeepsRepliesBehindAFullSocketUpToABound"}},
	{"payloads that are used after their time", []string{"TestKeptPayloadsAreFoundOut"}},
	{"close reasons that are too long", []string{"TestCutsTheReasonBetweenRunes"}},

	// Compression.
	{"what inflates beyond the limit, also in fragments", []string{"TestLimitsTheInflatedSize", "TestInflatesUpToTheLimitOnly"}},
	{"garbage, truncated streams, references before the start, bytes behind the end", []string{"TestRefusesCorruptCompressedData", "TestNeverRefersBeyondTheWindow", "FuzzInflate"}},
	{"windows of 7 and 16 bits, parameters that are empty, doubled, unknown", []string{"TestDeclinesOffersWithWrongParameters", "FuzzExtensions"}},
	{"a token compressed together with what somebody else chose", []string{"TestATokenIsNeverCompressed"}},
	{"many compressors", []string{"TestManyMayCompressAtOnce", "TestNothingIsHeldBetweenMessages"}},

	// Handshake and HTTP.
	{"thousands of headers, megabytes of them, giant URLs", []string{"TestHostileRequests", "TestRefusesALongHeader"}},
	{"headers that are costly to split", []string{"TestHostileRequests", "FuzzUpgrade"}},
	{"extensions with names of JavaScript's own", []string{"TestHostileRequests"}},
	{"a header that takes for ever, a handshake of TLS that does", []string{"TestEndsAHandshakeThatTakesTooLong", "TestEndsATLSHandshakeThatIsNeverFinished"}},
	{"handshakes of TLS without end, connections that send no request", []string{"TestConnectionsOfAnAddressAreBoundedBeforeAnythingIsDoneForThem", "TestConnectionsWithoutARequestAreBoundedTogether", "TestAnAddressHasSoManyConnectionsWithoutARequest"}},
	{"floods of HTTP/2, which is not spoken", []string{"TestSpeaksNothingOldAndNoHTTP2", "TestRefusesHTTP2"}},
	{"an upgrade, and then nothing", []string{"TestWhoDoesNotAuthenticateIsClosed"}},
	{"upgrades without key, with another version, method, protocol", []string{"TestHostileRequests", "TestRefusesWhatMayNotBeUpgraded", "TestRefusesHTTP2"}},
	{"frames that come with the request", []string{"TestTakesFramesThatCameWithTheRequest", "TestReceivesEarlyBytesFirst"}},
	{"requests behind a refused upgrade", []string{"TestARefusedUpgradeReadsNoFrames"}},
	{"a length and chunks, two lengths, a space before the colon, two hosts, bare line feeds, chunks of more than numbers have", []string{"TestHostileRequests"}},
	{"requests that name another host", []string{"TestHostileRequests"}},
	{"line ends in paths, names and subprotocols", []string{"TestHostileRequests", "TestAnswersNothingBetweenTheLines"}},
	{"more connections than there is room for", []string{"TestANodeHasSoManyConnections", "TestAnAddressHasSoManyConnections", "TestAUserHasSoManyConnectionsAtOnce"}},

	// Origins, proxies, tokens.
	{"origins that look like the right one", []string{"TestOrigins", "FuzzOrigin"}},
	{"patterns that allow more than they seem to", []string{"TestPatternsThatAllowMoreThanTheySeemToAreRefused"}},
	{"pages of others that read answers with credentials", []string{"TestCORSNamesTheOriginAndNeverAStar", "TestAnswersPreflights"}},
	{"addresses that the client made up", []string{"TestClientsAddress", "TestTheMachineItselfIsNotLimitedByAddress", "FuzzAddress"}},
	{"tokens of no algorithm or another one", []string{"TestHMACTakesItsOwnTokensOnly", "FuzzToken"}},
	{"tokens by trial", []string{"TestAttemptsToAuthenticateAreBounded", "TestBadTokensFromOneAddressAreBounded", "TestSocketIOUnknownNamespacesAreNoAttempts"}},
	{"secrets by the time of a comparison", []string{"TestSecretsAreComparedByWhatStandsForThem", "TestReportsSecretsThatAreCompared", "TestMarksTellNothingOfTheirSecrets"}},
	{"tickets without end, as very many anonymous users", []string{"TestTicketsAreBounded", "TestTicketsOfAnAddressAreBounded"}},
	{"tokens in URLs, and ids of Engine.IO, which others log", []string{"TestNoTokenIsEverShown", "TestATokenThatOthersCanReadIsRefused", "TestAnExposedSessionTakesNoToken"}},
	{"claims that are believed before they are checked, keys that are not what they say", []string{"TestHostileTokens", "TestATokenCannotChooseItsAlgorithm", "TestAPublicKeyIsNoSecret", "TestAnUnknownKeyDoesNotFetch", "FuzzKeys"}},
	{"tokens that expire while connected", []string{"TestSessionEndsWithItsToken"}},
	{"tokens that are revoked, and users that are blocked, while connected or on their way", []string{"TestWhoIsKeptOutIsGoneAtOnceOnEveryTransport", "TestNobodySlipsInWhileSomebodyIsKeptOut", "TestTokensOfThisSecondAreRevoked"}},
	{"permissions that are withdrawn while connected", []string{"TestAReloadHoldsAtOnce", "TestAReloadMissesNoRecovery"}},

	// Envelopes.
	{"deep nesting, duplicate keys, lone surrogates, huge numbers, bytes behind the end", []string{"TestRefusesBrokenEnvelopes", "TestRefusesTheWholeFrame", "TestDepthCountsTheEnvelopeAsItsFirstLevel", "FuzzFrame"}},
	{"very many keys", []string{"TestFindsDuplicatesAmongManyKeys"}},
	{"values of the wrong type", []string{"TestRefusesWrongFields", "FuzzFrame"}},
	{"binary frames whose lengths do not fit", []string{"TestRefusesBinaryFrames", "FuzzBinary"}},
	{"positions that are none, beyond the log or of another epoch", []string{"TestParsePositionRefusesEverythingElse", "TestErrorsNameTheirCode", "FuzzParsePosition"}},
	{"names of rooms with a meaning elsewhere", []string{"TestRoomNames", "FuzzRoom"}},
	{"commands in a room that was never joined", []string{"TestErrorsNameTheirCode"}},
	{"malformed envelopes, one after the other", []string{"TestThirdMalformedEnvelopeInARowEndsTheSession", "TestMalformedFramesCountToo"}},
	{"storms of joins and leaves, thousands of rooms", []string{"TestEachRateHasItsErrorAndItsNumber", "TestLimits", "FuzzMembership"}},
	{"requests behind one that takes long", []string{"TestRequestsBehindASlowOneWaitInOrder"}},
	{"names and tokens that are too long or no text", []string{"TestNamesAndTokensHaveALength", "TestHostileRequests"}},

	// Streams, polls, posts.
	{"line ends in what stands in a stream", []string{"TestNothingOfAClientEndsALine", "TestRecordsAreReadAsTheyWereWritten"}},
	{"positions in requests that are too long, too many, or none", []string{"FuzzVector", "TestStreamIsRefusedInWordsThatStopABrowser", "TestPollIsBounded"}},
	{"bodies that never come, that are too large, of another type", []string{"TestABodyThatDoesNotComeIsNotWaitedFor", "TestABodyThatIsTooLargeIsRefusedByItsLength", "TestPostIsRefused"}},
	{"streams and polls without end, streams that nobody reads", []string{"TestAUserHasSoManyStreamsAndPolls", "TestPollersOfOneUserAreBounded", "TestStreamThatTakesNothingIsCut", "TestStreamThatNobodyReadsOverHTTP2IsCut"}},
	{"bytes of a client on a stream that only the server writes", []string{"TestAClientThatTalksOnAStreamIsCut"}},
	{"a poll of a client while another one runs, the client's name with another user", []string{"TestTwoPollsOfOneClient", "TestOwnMessagesAreNotEchoedToTheSameClientOfTheSameUser"}},

	// Engine.IO, Socket.IO.
	{"transports, versions and ids in the query that are none, or several", []string{"TestRefusesBadHandshakes"}},
	{"two polls at once, a poll that is aborted, an upgrade during a POST, one that is never completed", []string{"TestTwoPollsAtOnceEndTheSession", "TestAnAbortedPollEndsTheSession", "TestAnUpgradeDuringAPostEndsTheSession", "TestUpgrade"}},
	{"connections that are opened and left, in very great number", []string{"TestSocketIOWhatIsAbandonedLeavesNothing", "TestSilenceEndsTheSession", "TestSocketIOWhoConnectsNowhereIsClosed"}},
	{"bodies of a length that is not told, and larger than they may be", []string{"TestSocketIOABodyOfUnknownLengthMeetsTheBound", "TestSocketIOAttacksMeetBounds"}},
	{"acknowledgements that never come", []string{"TestSocketIOCallsThatNobodyAnswersMeetABound"}},
	{"payloads of very many packets, of unknown types, in wrong base64", []string{"TestRefusesPayloadsThatAreNone", "FuzzPayload"}},
	{"packets of wrong shape: types, acknowledgements, names of events", []string{"TestRefusesWhatIsNoParcel", "TestSocketIOMalformedPacketsCloseTheirConnectionAndNothingElse", "FuzzParcel"}},
	{"placeholders that name no attachment, or one twice", []string{"TestRefusesPlaceholdersThatAreNone"}},
	{"attachments without end, out of turn, that never come", []string{"TestRefusesAttachmentsOutOfTurn", "TestBoundsAParcelWithItsAttachments", "TestSocketIOAttacksMeetBounds", "TestSocketIOAttachmentsThatNeverComeAreNotWaitedFor"}},
	{"namespaces without end, or that are none", []string{"TestSocketIOUnknownNamespace", "TestSocketIOManyNamespacesMeetABound"}},
	{"the session of somebody else", []string{"TestSocketIOPollsAreOfWhomeverBeganThem", "TestSocketIOForgedOffsetsLeadNowhere"}},
}
