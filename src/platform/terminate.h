// The end of a program that runs out of memory where no exception may pass.
#pragma once

namespace nolens {

/// Lets std::terminate() end the program with exit code 5 and `message` on stderr when the cause is
/// std::bad_alloc, as in destructors of nlohmann::json, which allocate. Other causes abort as ever.
/// `message` must live as long as the program. For the first lines of main().
void report_memory_shortage_on_terminate(const char* message) noexcept;

}  // namespace nolens
