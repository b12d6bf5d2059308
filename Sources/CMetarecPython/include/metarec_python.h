/* Nothing here is for other targets: Python finds PyInit__metarec by its name. SwiftPM wants the folder. */
